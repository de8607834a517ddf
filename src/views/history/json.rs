//! A journal for programs: `history --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::json_event::EventJson;
use crate::domain::{CutMark, LinkId, Recorded};
use crate::journal::Release;
use crate::views::json::{ActorJson, KATKIT_VERSION};
use crate::views::{DeployOutcomeJson, PurposeJson};

/// A piece of the journal of a link, or of several, oldest first. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and kinds that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit history")]
pub struct HistoryJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// `tenant/link`; null where several links were asked for, or all.
    pub link: Option<String>,
    /// What `--before` shows the events before these with; null: there are none, or `link` is null.
    pub before: Option<u64>,
    /// Whether `--limit` left out older ones.
    pub more: bool,
    /// The events; none with `--deployments`.
    pub events: Vec<RecordedJson<'a>>,
    /// What was cut off the journal of the link; null: nothing, or `link` is null.
    pub cut: Option<HistoryCutJson>,
    /// With `--deployments`, the deployments; otherwise null.
    pub deployments: Option<Vec<ReleaseJson<'a>>>,
}

/// What was cut off a journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HistoryCutJson {
    /// The last event that was cut.
    pub through: u64,
    /// When it was cut.
    pub at: String,
}

/// An event, with who wrote it and when.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RecordedJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// Its place in the journal of the link, from 1, without gaps.
    pub generation: u64,
    /// When it was written, by the writer's clock.
    pub at: String,
    /// On whose behalf.
    pub by: &'a str,
    /// The same, with how that is known.
    pub actor: ActorJson<'a>,
    /// What happened.
    pub event: EventJson<'a>,
}

impl<'a> HistoryJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.2";

    /// The document for these events, oldest first: of one link, or of several.
    pub fn of(
        link: Option<&LinkId>,
        events: &'a [(LinkId, Recorded)],
        has_more: bool,
        cut: Option<CutMark>,
    ) -> Self {
        let first = events.first().map(|(_, event)| event.generation.0);
        let begins = cut.map_or(1, |cut| cut.through.0 + 1);
        Self {
            before: first.filter(|first| link.is_some() && *first > begins),
            events: events.iter().map(RecordedJson::from).collect(),
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

impl<'a> From<&'a (LinkId, Recorded)> for RecordedJson<'a> {
    fn from((link, Recorded { generation, at, by, event }): &'a (LinkId, Recorded)) -> Self {
        let (link, generation, at) = (link.to_string(), generation.0, at.to_string());
        Self { link, generation, at, by: &by.name, actor: by.into(), event: event.into() }
    }
}

/// A deployment, or a running service that was adopted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReleaseJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// What was deployed.
    pub sha: &'a str,
    /// What the deployment was for; null for a service that ran already and was adopted.
    pub because: Option<PurposeJson>,
    /// On whose behalf.
    pub by: &'a str,
    /// The same, with how that is known.
    pub actor: ActorJson<'a>,
    /// When it began.
    pub started: String,
    /// When it ended; null: it has not.
    pub ended: Option<String>,
    /// How it ended; null: it has not.
    pub outcome: Option<DeployOutcomeJson>,
}

impl<'a> From<&'a (LinkId, Release)> for ReleaseJson<'a> {
    fn from((link, Release { sha, purpose, by, started, ended }): &'a (LinkId, Release)) -> Self {
        Self {
            link: link.to_string(),
            sha: sha.as_str(),
            because: purpose.as_ref().map(PurposeJson::from),
            by: &by.name,
            actor: by.into(),
            started: started.to_string(),
            ended: ended.as_ref().map(|(at, _)| at.to_string()),
            outcome: ended.as_ref().map(|(_, outcome)| outcome.into()),
        }
    }
}
