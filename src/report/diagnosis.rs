//! What `katkit doctor` found.

use super::Section;

/// The findings, and the number of links without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// One section per thing with findings.
    pub sections: Vec<Section>,
    /// The number of checked links without findings.
    pub healthy: usize,
}

impl Diagnosis {
    /// The number of problems.
    pub fn problems(&self) -> usize {
        self.sections.iter().map(Section::problems).sum()
    }
}
