//! Past deployments, judged by policies.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::LinkId;
use crate::journal::Release;
use crate::plan::Hold;
use crate::views::moment::{minute, second};
use crate::views::terminal::hang;
use crate::views::{HoldJson, PurposeJson, Style, visible};

/// What the policies would have done with past deployments.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The time since which deployments count.
    pub since: Timestamp,
    /// How many deployments there were.
    pub judged: usize,
    /// Those that the policies would have held, oldest first.
    pub held: Vec<HeldRelease>,
}

/// A past deployment that a policy would have held.
#[derive(Clone, Debug)]
pub struct HeldRelease {
    /// The link.
    pub link: LinkId,
    /// The deployment.
    pub release: Release,
    /// Why, when it began.
    pub holds: Vec<Hold>,
}

/// A replay as text.
#[derive(Clone, Copy, Debug)]
pub struct ReplayText<'a> {
    /// The replay.
    pub replay: &'a Replay,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for ReplayText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replay: Replay { since, judged, held }, style } = *self;
        let since = minute(*since);
        let summary = match (judged, held.len()) {
            (0, _) => format!("There were no deployments since {since}."),
            (1, 0) => format!("The policies would not have held the deployment since {since}."),
            (judged, 0) => {
                format!("The policies would have held none of {judged} deployments since {since}.")
            }
            (judged, count) => {
                format!("The policies would have held {count} of {judged} deployments since {since}:")
            }
        };
        f.write_str(&hang("", 0, &summary, style))?;
        if !held.is_empty() {
            writeln!(f)?;
        }
        for HeldRelease { link, release, holds } in held {
            let (at, sha, by) = (second(release.started), release.sha.short(), visible(&release.by.name));
            let why: Vec<_> = holds.iter().map(Hold::describe).collect();
            let line = format!("{link}  {sha} by {by}: {}", why.join("; "));
            f.write_str(&hang(&format!("{at}  "), 21, &line, style))?;
        }
        Ok(())
    }
}

/// What the policies would have done with past deployments.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReplayJson<'a> {
    /// The time since which deployments count.
    pub since: String,
    /// How many deployments there were.
    pub deployments: usize,
    /// Those that the policies would have held, oldest first.
    pub held: Vec<HeldReleaseJson<'a>>,
}

/// A past deployment that a policy would have held.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HeldReleaseJson<'a> {
    /// The link.
    pub link: String,
    /// The deployed commit.
    pub sha: &'a str,
    /// Why it was deployed.
    pub reason: Option<PurposeJson>,
    /// Who deployed it.
    pub by: &'a str,
    /// When the deployment began.
    pub started: String,
    /// Why it would have waited.
    pub holds: Vec<HoldJson<'a>>,
}

impl<'a> From<&'a Replay> for ReplayJson<'a> {
    fn from(Replay { since, judged, held }: &'a Replay) -> Self {
        let held = held.iter().map(|HeldRelease { link, release, holds }| HeldReleaseJson {
            link: link.to_string(),
            sha: release.sha.as_str(),
            reason: release.purpose.as_ref().map(PurposeJson::from),
            by: &release.by.name,
            started: release.started.to_string(),
            holds: holds.iter().map(HoldJson::from).collect(),
        });
        Self { since: since.to_string(), deployments: *judged, held: held.collect() }
    }
}
