//! Service names derived from role names.

use super::LinkId;

/// A template like `{tenant}-{role}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameTemplate(String);

/// Why a text is not a template for service names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// An opening brace without a closing one.
    #[error("a brace is not closed")]
    Unclosed,
    /// Braces around an unknown placeholder.
    #[error("`{{{0}}}` is not one of `{{tenant}}`, `{{link}}` and `{{role}}`")]
    Unknown(String),
    /// Nothing differs between roles.
    #[error("without `{{role}}`, all roles would share one service")]
    NoRole,
}

/// The placeholders that a template may hold.
const PLACEHOLDERS: [&str; 3] = ["tenant", "link", "role"];

impl NameTemplate {
    /// Checks that `text` is a template with a role in it.
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

    /// The service name of a role.
    pub fn service(&self, link: &LinkId, role: &str) -> String {
        // The role last: its name may look like a placeholder.
        let name = self.0.replace("{tenant}", link.tenant.as_str()).replace("{link}", link.link.as_str());
        name.replace("{role}", role)
    }
}

impl Default for NameTemplate {
    /// The service has the role's name.
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
