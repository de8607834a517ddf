//! How services are named after roles.

use super::LinkId;

/// A template like `{tenant}-{role}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameTemplate(String);

/// Why a text is not a template for names of services.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// An opening brace without a closing one.
    #[error("a brace is not closed")]
    Unclosed,
    /// Braces around another word.
    #[error("`{{{0}}}` is none of `{{tenant}}`, `{{link}}` and `{{role}}`")]
    Unknown(String),
    /// Nothing that differs between roles.
    #[error("without `{{role}}` all roles would have the same service")]
    NoRole,
}

/// What a template may hold in braces.
const PLACEHOLDERS: [&str; 3] = ["tenant", "link", "role"];

impl NameTemplate {
    /// The template.
    pub fn new(text: &str) -> Result<Self, BadTemplate> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(BadTemplate::Unclosed);
            };
            if !PLACEHOLDERS.contains(&name) {
                return Err(BadTemplate::Unknown(name.to_owned()));
            }
            rest = after;
        }
        if !text.contains("{role}") {
            return Err(BadTemplate::NoRole);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of the service of a role.
    pub fn service(&self, link: &LinkId, role: &str) -> String {
        // The role last: its name may hold anything.
        let name = self.0.replace("{tenant}", link.tenant.as_str()).replace("{link}", link.link.as_str());
        name.replace("{role}", role)
    }
}

impl Default for NameTemplate {
    /// The service is named as the role is.
    fn default() -> Self {
        Self("{role}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_the_template() {
        let link: LinkId = "dev/shop".parse().unwrap();
        let name = |template: &str| {
            NameTemplate::new(template).map(|it| it.service(&link, "web")).map_err(|bad| bad.to_string())
        };
        assert_eq!(NameTemplate::default().service(&link, "web"), "web");
        assert_eq!(name("{tenant}-{role}").unwrap(), "dev-web");
        assert_eq!(name("{link}_{role}-v1").unwrap(), "shop_web-v1");
        assert!(name("{rol}").unwrap_err().contains("`{rol}`"));
        assert!(name("web").unwrap_err().contains("without `{role}`"));
        assert!(name("{role").unwrap_err().contains("not closed"));
    }
}
