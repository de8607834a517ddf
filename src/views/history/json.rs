//! A journal for programs: `history --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::json_event::EventJson;
use crate::domain::{LinkId, Recorded};
use crate::views::json::{ActorJson, KATKIT_VERSION};

/// A piece of the journal of a link, oldest first. Times are in RFC 3339, commits in forty digits.
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
    /// `tenant/link`.
    pub link: String,
    /// What `--before` shows the events before these with; null: there are none.
    pub before: Option<u64>,
    /// The events.
    pub events: Vec<RecordedJson<'a>>,
}

/// An event, with who wrote it and when.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RecordedJson<'a> {
    /// Its place in the journal, from 1, without gaps.
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
    pub const FORMAT_VERSION: &'static str = "1.1";

    /// The document for a gapless piece of the journal of `link`, oldest first.
    pub fn of(link: &LinkId, events: &'a [Recorded]) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            link: link.to_string(),
            before: events.first().map(|event| event.generation.0).filter(|first| *first > 1),
            events: events.iter().map(RecordedJson::from).collect(),
        }
    }
}

impl<'a> From<&'a Recorded> for RecordedJson<'a> {
    fn from(Recorded { generation, at, by, event }: &'a Recorded) -> Self {
        let (generation, at) = (generation.0, at.to_string());
        Self { generation, at, by: &by.name, actor: by.into(), event: event.into() }
    }
}
