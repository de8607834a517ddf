//! A prune for programs: `prune --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::repair_hint;
use crate::domain::LinkId;
use crate::report::{Amount, LinkPruning, PruneResult, Pruning};
use crate::views::json::KATKIT_VERSION;

/// What a prune removed, or with `--dry-run` would remove.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit prune")]
pub struct PruneJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// What was written before is old. In RFC 3339.
    pub before: String,
    /// The links from which something is removed.
    pub links: Vec<LinkPruningJson<'a>>,
    /// The packs that are removed, a commit each; empty where only some links were asked for.
    pub packs: AmountJson,
    /// What became of the packs.
    pub packs_result: PruneResultJson<'a>,
    /// The links that were left alone, since another process works on them.
    pub worked_on: Vec<WorkedOnJson<'a>>,
    /// The links that were left alone, since their record is damaged. Then no packs are removed.
    pub damaged: Vec<DamagedJson<'a>>,
}

/// What is removed of a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkPruningJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// What attempts left.
    pub left: AmountJson,
    /// How many events.
    pub events: u64,
    /// The last event that is cut off its journal; null: the journal is not cut now.
    pub through: Option<u64>,
    /// Whether a part of it is what an earlier prune recorded and did not remove.
    pub finishes: bool,
    /// What became of it.
    pub result: PruneResultJson<'a>,
}

/// How much.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct AmountJson {
    /// What how many attempts left, or how many packs.
    pub count: usize,
    /// In how many blobs.
    pub blobs: usize,
    /// How large these are.
    pub bytes: u64,
}

/// What became of what was to be removed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PruneResultJson<'a> {
    /// Nothing: it was only asked for what would be removed.
    Planned,
    /// It was removed.
    Done,
    /// Another process was faster.
    Left {
        /// What is known of it.
        by: &'a str,
    },
    /// Something was recorded of the link meanwhile.
    Changed,
    /// It could not be removed, or not all of it.
    Failed {
        /// Why: a lowercase fragment.
        error: &'a str,
        /// What to do about it.
        hint: Option<&'a str>,
    },
}

/// A link that another process works on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WorkedOnJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// What is known of the process.
    pub by: &'a str,
}

/// A link whose record is damaged.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DamagedJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// What is wrong with its record: a lowercase fragment.
    pub error: &'a str,
    /// What to do about it.
    pub hint: String,
}

impl<'a> PruneJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";

    /// The document.
    pub fn of(pruning: &'a Pruning) -> Self {
        let Pruning { before, links, packs, packs_result, left, damaged, keeps_packs: _ } = pruning;
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            before: before.to_string(),
            links: links.iter().map(LinkPruningJson::from).collect(),
            packs: (*packs).into(),
            packs_result: packs_result.into(),
            worked_on: left.iter().map(WorkedOnJson::from).collect(),
            damaged: damaged.iter().map(DamagedJson::from).collect(),
        }
    }
}

impl<'a> From<&'a LinkPruning> for LinkPruningJson<'a> {
    fn from(pruning: &'a LinkPruning) -> Self {
        let LinkPruning { link, left, events, through, finishes, result } = pruning;
        Self {
            link: link.to_string(),
            left: (*left).into(),
            events: *events,
            through: through.map(|through| through.0),
            finishes: *finishes,
            result: result.into(),
        }
    }
}

impl From<Amount> for AmountJson {
    fn from(Amount { things, blobs, bytes }: Amount) -> Self {
        Self { count: things, blobs, bytes }
    }
}

impl<'a> From<&'a PruneResult> for PruneResultJson<'a> {
    fn from(result: &'a PruneResult) -> Self {
        match result {
            PruneResult::Planned => Self::Planned,
            PruneResult::Done => Self::Done,
            PruneResult::Left { by } => Self::Left { by },
            PruneResult::Changed => Self::Changed,
            PruneResult::Failed { error, hint } => Self::Failed { error, hint: hint.as_deref() },
        }
    }
}

impl<'a> From<&'a (LinkId, String)> for WorkedOnJson<'a> {
    fn from((link, by): &'a (LinkId, String)) -> Self {
        Self { link: link.to_string(), by }
    }
}

impl<'a> From<&'a (LinkId, String)> for DamagedJson<'a> {
    fn from((link, error): &'a (LinkId, String)) -> Self {
        Self { link: link.to_string(), error, hint: repair_hint(link) }
    }
}
