//! The state of links as JSON: `status --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::link_state::LinkStatus;
use crate::views::RecordJson;
use crate::views::json::KATKIT_VERSION;

/// The state of links according to the record. Times are RFC 3339, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit status")]
pub struct StatusJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The links, ordered by id.
    pub links: Vec<RecordJson<'a>>,
    /// The number of forgotten links left out; `--forgotten` shows them.
    pub forgotten: usize,
}

impl<'a> StatusJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.4";

    /// The document for these links; `forgotten` others are left out.
    pub fn of(links: &[LinkStatus<'a>], forgotten: usize) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            links: links.iter().map(RecordJson::from).collect(),
            forgotten,
        }
    }
}
