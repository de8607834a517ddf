//! The journal as JSON: `history --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::json_event::EventJson;
use crate::domain::{CutMark, LinkId, RecordedEvent};
use crate::journal::Release;
use crate::views::json::{ActorJson, AuthorizationJson, KATKIT_VERSION};
use crate::views::{DeployOutcomeJson, PurposeJson};

/// A section of the journal of one or several links, oldest first. Times are RFC 3339, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and kinds they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit history")]
pub struct HistoryJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// `tenant/link`; null if several links or all were requested.
    pub link: Option<String>,
    /// The value of `--before` that shows the preceding events; null if there are none, or `link` is null.
    pub before: Option<u64>,
    /// Whether `--limit` left out older entries.
    pub more: bool,
    /// The events; empty with `--deployments`.
    pub events: Vec<RecordedJson<'a>>,
    /// The pruned part of the link's journal; null if nothing was pruned, or `link` is null.
    pub cut: Option<HistoryCutJson>,
    /// The deployments, with `--deployments`; null otherwise.
    pub deployments: Option<Vec<ReleaseJson<'a>>>,
}

/// The pruned part of a journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HistoryCutJson {
    /// The generation of the last pruned event.
    pub through: u64,
    /// When it was pruned.
    pub at: String,
}

/// An event with its author and time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RecordedJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// Its position in the link's journal, from 1, without gaps.
    pub generation: u64,
    /// When it was written, by the writer's clock.
    pub at: String,
    /// The name of the actor.
    pub by: &'a str,
    /// The actor, and how their identity was verified.
    pub actor: ActorJson<'a>,
    /// What happened.
    pub event: EventJson<'a>,
}

impl<'a> HistoryJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.3";

    /// The document for these events of one or several links, oldest first.
    pub fn of(
        link: Option<&LinkId>,
        events: &'a [(LinkId, RecordedEvent)],
        has_more: bool,
        cut: Option<CutMark>,
    ) -> Self {
        let first = events.first().map(|(_, event)| event.generation.0);
        let begins = cut.map_or(1, |cut| cut.through.0 + 1);
        Self {
            before: first.filter(|first| link.is_some() && *first > begins),
            events: events.iter().map(|(link, event)| RecordedJson::of(link, event)).collect(),
            cut: cut.map(HistoryCutJson::from),
            ..Self::empty(link, has_more)
        }
    }

    /// The document for these deployments, oldest first.
    pub fn of_deployments(
        link: Option<&LinkId>,
        deployments: &'a [(LinkId, Release)],
        has_more: bool,
    ) -> Self {
        let deployments = deployments.iter().map(ReleaseJson::from).collect();
        Self { deployments: Some(deployments), ..Self::empty(link, has_more) }
    }

    fn empty(link: Option<&LinkId>, has_more: bool) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            link: link.map(ToString::to_string),
            before: None,
            more: has_more,
            events: Vec::new(),
            cut: None,
            deployments: None,
        }
    }
}

impl From<CutMark> for HistoryCutJson {
    fn from(CutMark { through, event: _, at }: CutMark) -> Self {
        Self { through: through.0, at: at.to_string() }
    }
}

impl<'a> RecordedJson<'a> {
    /// The event of a link.
    pub fn of(link: &LinkId, recorded: &'a RecordedEvent) -> Self {
        let RecordedEvent { generation, at, by, event, previous: _ } = recorded;
        let (link, generation, at) = (link.to_string(), generation.0, at.to_string());
        Self { link, generation, at, by: &by.name, actor: by.into(), event: event.into() }
    }
}

/// A deployment, or a running service that was adopted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReleaseJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The deployed commit.
    pub sha: &'a str,
    /// The purpose of the deployment; null for an adopted service.
    pub reason: Option<PurposeJson>,
    /// The name of the actor.
    pub by: &'a str,
    /// The actor, and how their identity was verified.
    pub actor: ActorJson<'a>,
    /// Who let it through; null if nobody had to: its policy asks nobody, or its commit was live already.
    pub authorization: Option<AuthorizationJson<'a>>,
    /// When it began.
    pub started: String,
    /// When it ended; null if it has not.
    pub ended: Option<String>,
    /// How it ended; null if it has not.
    pub outcome: Option<DeployOutcomeJson>,
}

impl<'a> From<&'a (LinkId, Release)> for ReleaseJson<'a> {
    fn from((link, release): &'a (LinkId, Release)) -> Self {
        let Release { sha, purpose, by, authorization, started, issued: _, ended } = release;
        Self {
            link: link.to_string(),
            sha: sha.as_str(),
            reason: purpose.as_ref().map(PurposeJson::from),
            by: &by.name,
            actor: by.into(),
            authorization: authorization.as_deref().map(AuthorizationJson::from),
            started: started.to_string(),
            ended: ended.as_ref().map(|(at, _)| at.to_string()),
            outcome: ended.as_ref().map(|(_, outcome)| outcome.into()),
        }
    }
}
