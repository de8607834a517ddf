//! Patterns of links.

use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use super::LinkId;

/// Patterns of links, at least one: `dev/shop`, `dev/*`, `*/shop`; `dev` is short for `dev/*`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LinkPatterns {
    texts: Vec<String>,
    set: GlobSet,
}

/// A pattern that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a pattern for `tenant/link`")]
pub struct BadPattern {
    pattern: String,
    #[source]
    source: Option<globset::Error>,
}

impl LinkPatterns {
    /// Whether one of them matches the link.
    pub fn match_link(&self, id: &LinkId) -> bool {
        self.set.is_match(id.to_string())
    }
}

impl TryFrom<Vec<String>> for LinkPatterns {
    type Error = BadPattern;

    fn try_from(texts: Vec<String>) -> Result<Self, BadPattern> {
        if texts.is_empty() {
            return Err(BadPattern { pattern: String::new(), source: None });
        }
        let mut set = GlobSetBuilder::new();
        for pattern in &texts {
            let bad = |source| BadPattern { pattern: pattern.clone(), source: Some(source) };
            let whole = if pattern.contains('/') { pattern.clone() } else { format!("{pattern}/*") };
            set.add(Glob::new(&whole).map_err(bad)?);
        }
        let bad = |source| BadPattern { pattern: texts.join(" "), source: Some(source) };
        Ok(Self { set: set.build().map_err(bad)?, texts })
    }
}

impl From<LinkPatterns> for Vec<String> {
    fn from(patterns: LinkPatterns) -> Self {
        patterns.texts
    }
}

impl PartialEq for LinkPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for LinkPatterns {}

impl fmt::Display for LinkPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.texts.join(", "))
    }
}

impl fmt::Debug for LinkPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(f)
    }
}
