//! `--target`: the links that a command applies to.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::domain::LinkId;

/// The links that a command applies to; all links if no pattern is given.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    patterns: Option<GlobSet>,
    links: Option<std::collections::BTreeSet<LinkId>>,
}

/// A pattern that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a pattern for `tenant/link`")]
pub struct BadPattern {
    pattern: String,
    #[source]
    source: globset::Error,
}

impl Targets {
    /// The links that match any of `patterns` (`dev/shop`, `dev/*`, `*/shop`; `dev` is short for `dev/*`).
    pub fn matching(patterns: &[String]) -> Result<Self, BadPattern> {
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let bad = |source| BadPattern { pattern: pattern.clone(), source };
            let whole = if pattern.contains('/') { pattern.clone() } else { format!("{pattern}/*") };
            set.add(Glob::new(&whole).map_err(bad)?);
        }
        let bad = |source| BadPattern { pattern: patterns.join(" "), source };
        Ok(Self { patterns: Some(set.build().map_err(bad)?), links: None })
    }

    /// Restricts these links to those in `links`.
    #[must_use]
    pub fn and_only(self, links: std::collections::BTreeSet<LinkId>) -> Self {
        Self { links: Some(links), ..self }
    }

    /// Whether the command applies to the link.
    pub fn contain(&self, id: &LinkId) -> bool {
        self.patterns.as_ref().is_none_or(|set| set.is_match(id.to_string()))
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
