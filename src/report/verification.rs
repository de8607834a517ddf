//! What `katkit verify` found.

use crate::domain::Check;

/// The result of all checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// In the order in which a run uses the things checked.
    pub sections: Vec<Section>,
}

/// The checks of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name of the thing: `fleet phases`, `dev/shop`, …
    pub title: String,
    /// Its checks, with their results.
    pub checks: Vec<Check>,
}

impl Verification {
    /// The number of problems.
    pub fn problems(&self) -> usize {
        self.sections.iter().map(Section::problems).sum()
    }
}

impl Section {
    /// The number of problems in this section.
    pub fn problems(&self) -> usize {
        self.checks.iter().filter(|check| check.is_bad()).count()
    }
}
