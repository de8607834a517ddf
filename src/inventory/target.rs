//! `--target`: the links that a command applies to.

use crate::domain::{BadPattern, LinkId, LinkPatterns};

/// The links that a command applies to; all links if no pattern is given.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    patterns: Option<LinkPatterns>,
    links: Option<std::collections::BTreeSet<LinkId>>,
}

impl Targets {
    /// The links that match any of `patterns` (`dev/shop`, `dev/*`, `*/shop`; `dev` is short for `dev/*`).
    pub fn matching(patterns: &[String]) -> Result<Self, BadPattern> {
        let given = (!patterns.is_empty()).then(|| patterns.to_vec());
        Ok(Self { patterns: given.map(LinkPatterns::try_from).transpose()?, links: None })
    }

    /// Restricts these links to those in `links`.
    #[must_use]
    pub fn and_only(self, links: std::collections::BTreeSet<LinkId>) -> Self {
        Self { links: Some(links), ..self }
    }

    /// Whether the command applies to the link.
    pub fn contain(&self, id: &LinkId) -> bool {
        self.patterns.as_ref().is_none_or(|patterns| patterns.match_link(id))
            && self.links.as_ref().is_none_or(|links| links.contains(id))
    }

    /// Whether no link is left out.
    pub fn is_everything(&self) -> bool {
        self.patterns.is_none() && self.links.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_link_a_tenant_or_a_pattern() {
        let targets = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            let targets = Targets::matching(&patterns).unwrap();
            ["dev/shop", "dev/web", "prod/shop"].map(|id| targets.contain(&id.parse().unwrap()))
        };
        assert_eq!(targets(&[]), [true, true, true]);
        assert_eq!(targets(&["dev"]), [true, true, false]);
        assert_eq!(targets(&["*/shop"]), [true, false, true]);
        assert_eq!(targets(&["prod/shop", "dev/w*"]), [false, true, true]);
        assert!(Targets::matching(&["a/[".into()]).is_err());
    }
}
