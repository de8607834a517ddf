//! The standings for programs: `status --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::standing::LinkStatus;
use crate::views::RecordJson;
use crate::views::json::KATKIT_VERSION;

/// Where links stand, as far as the record tells. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit status")]
pub struct StatusJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// In the order of their ids.
    pub links: Vec<RecordJson<'a>>,
    /// How many links are left out because they are forgotten: `--forgotten` shows them.
    pub forgotten: usize,
}

impl<'a> StatusJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for these links, where so many others are left out.
    pub fn of(links: &[LinkStatus<'a>], forgotten: usize) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            links: links.iter().map(RecordJson::from).collect(),
            forgotten,
        }
    }
}
