//! The definitions that names are resolved against.

use std::collections::BTreeMap;

use super::definitions::Definitions;
use super::templates::Templates;
use super::workflows::WorkflowTable;

/// All definitions that names can refer to.
pub(super) struct Known<'i, 'r> {
    pub repos: Definitions<'i, 'r>,
    pub fleets: Vec<&'i str>,
    pub flows: BTreeMap<&'i str, WorkflowTable<'i>>,
    pub templates: Templates<'i, 'r>,
    pub policies: Vec<&'i str>,
    pub pipelines: Vec<&'i str>,
}
