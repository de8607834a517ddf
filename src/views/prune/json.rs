//! A prune as JSON: `prune --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::repair_hint;
use crate::domain::LinkId;
use crate::report::{Amount, LinkPruning, PruneResult, Pruning};
use crate::views::json::KATKIT_VERSION;

/// What a prune removed, or with `--dry-run` would remove.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit prune")]
pub struct PruneJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// Everything written before this time is old. RFC 3339.
    pub before: String,
    /// The links from which something is removed.
    pub links: Vec<LinkPruningJson<'a>>,
    /// The removed commit packs, one per commit; empty if only some links were selected.
    pub packs: AmountJson,
    /// The result for the packs.
    pub packs_result: PruneResultJson<'a>,
    /// Links skipped because another process is working on them.
    pub worked_on: Vec<LockedLinkJson<'a>>,
    /// Links skipped because their record is damaged. If there are any, no packs are removed.
    pub damaged: Vec<DamagedJson<'a>>,
}

/// What is removed from a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkPruningJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The blobs left by attempts.
    pub left: AmountJson,
    /// The number of events.
    pub events: u64,
    /// The last event removed from the journal; null if the journal is not cut now.
    pub through: Option<u64>,
    /// Whether this finishes an earlier prune that was recorded but not completed.
    pub finishes: bool,
    /// The result.
    pub result: PruneResultJson<'a>,
}

/// An amount of data.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct AmountJson {
    /// The number of attempts or packs.
    pub count: usize,
    /// The number of blobs.
    pub blobs: usize,
    /// The total size of the blobs in bytes.
    pub bytes: u64,
}

/// The result of a removal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PruneResultJson<'a> {
    /// Nothing was removed: this is a dry run.
    Planned,
    /// Everything was removed.
    Done,
    /// Another process got to the link first.
    Left {
        /// A description of the process.
        by: &'a str,
    },
    /// The record of the link changed in the meantime.
    Changed,
    /// The removal failed, at least in part.
    Failed {
        /// The error as a lowercase fragment.
        error: &'a str,
        /// What to do about it.
        hint: Option<&'a str>,
    },
}

/// A link that another process is working on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LockedLinkJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// A description of the process.
    pub by: &'a str,
}

/// A link whose record is damaged.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DamagedJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The problem with its record: a lowercase fragment.
    pub error: &'a str,
    /// What to do about it.
    pub hint: String,
}

impl<'a> PruneJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";

    /// The document for this prune.
    pub fn of(pruning: &'a Pruning) -> Self {
        let Pruning { before, links, packs, packs_result, left, damaged, keeps_packs: _ } = pruning;
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            before: before.to_string(),
            links: links.iter().map(LinkPruningJson::from).collect(),
            packs: (*packs).into(),
            packs_result: packs_result.into(),
            worked_on: left.iter().map(LockedLinkJson::from).collect(),
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

impl<'a> From<&'a (LinkId, String)> for LockedLinkJson<'a> {
    fn from((link, by): &'a (LinkId, String)) -> Self {
        Self { link: link.to_string(), by }
    }
}

impl<'a> From<&'a (LinkId, String)> for DamagedJson<'a> {
    fn from((link, error): &'a (LinkId, String)) -> Self {
        Self { link: link.to_string(), error, hint: repair_hint(link) }
    }
}
