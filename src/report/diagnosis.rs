//! What `katkit doctor` found.

use super::Section;

/// What is worth saying, and how much of what was looked at is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// What there is something to say about.
    pub sections: Vec<Section>,
    /// How many links were looked at and there is nothing to say about.
    pub sound: usize,
}

impl Diagnosis {
    /// How many problems there are.
    pub fn bad(&self) -> usize {
        self.sections.iter().map(Section::bad).sum()
    }
}
