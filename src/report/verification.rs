//! What `katkit verify` found.

use crate::domain::Check;

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// In the order in which a run comes across them.
    pub sections: Vec<Section>,
}

/// What was looked at of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `fleet phases`, `dev/shop`, …
    pub title: String,
    /// What was found.
    pub checks: Vec<Check>,
}

impl Verification {
    /// How many problems there are.
    pub fn bad(&self) -> usize {
        self.sections.iter().map(Section::bad).sum()
    }
}

impl Section {
    /// How many problems it has.
    pub fn bad(&self) -> usize {
        self.checks.iter().filter(|check| check.is_bad()).count()
    }
}
