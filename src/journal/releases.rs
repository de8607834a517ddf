//! What was deployed on a link, one entry per deployment.

use jiff::Timestamp;

use crate::domain::{Actor, Authorization, CommitSha, DeployOutcome, DeployPurpose, Event, RecordedEvent};

/// A deployment, or a running service that was adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The deployed commit.
    pub sha: CommitSha,
    /// Why it was deployed; `None` for an adopted service.
    pub purpose: Option<DeployPurpose>,
    /// Who deployed it.
    pub by: Actor,
    /// Who let it through, if anyone had to.
    pub authorization: Option<Box<Authorization>>,
    /// When the deployment started, or the service was adopted.
    pub started: Timestamp,
    /// Whether the platform accepted the deployment.
    pub issued: bool,
    /// When and how the deployment ended, if it did.
    pub ended: Option<(Timestamp, DeployOutcome)>,
}

impl Release {
    /// Whether this event starts a release.
    pub fn begins(event: &Event) -> bool {
        matches!(event, Event::DeployIntended { .. } | Event::Adopted { .. })
    }

    /// Whether this event belongs to a release.
    pub fn includes(event: &Event) -> bool {
        Self::begins(event) || matches!(event, Event::DeployIssued { .. } | Event::DeployEnded { .. })
    }
}

/// The releases that start in a piece of a journal, oldest first.
pub fn releases<'a>(events: impl IntoIterator<Item = &'a RecordedEvent>) -> Vec<Release> {
    let mut releases = Vec::new();
    let mut tokens = Vec::new();
    for RecordedEvent { generation: _, at, by, event, previous: _ } in events {
        match event {
            Event::DeployIntended {
                token,
                purpose,
                sha,
                images: _,
                barrier: _,
                authorization,
                saved_plan: _,
            } => {
                releases.push(Release {
                    sha: sha.clone(),
                    purpose: Some(*purpose),
                    by: by.clone(),
                    authorization: authorization.clone(),
                    started: *at,
                    issued: false,
                    ended: None,
                });
                tokens.push(Some(token));
            }
            Event::DeployIssued { token, deployment: _ } => {
                if let Some(last) = tokens.iter().rposition(|other| *other == Some(token)) {
                    releases[last].issued = true;
                }
            }
            Event::DeployEnded { token, outcome, revision: _ } => {
                if let Some(last) = tokens.iter().rposition(|other| *other == Some(token)) {
                    releases[last].ended = Some((*at, outcome.clone()));
                }
            }
            Event::Adopted { sha, images: _, revision: _ } => {
                let ended = Some((*at, DeployOutcome::Deployed));
                let (sha, by) = (sha.clone(), by.clone());
                let authorization = None;
                releases.push(Release {
                    sha,
                    purpose: None,
                    by,
                    authorization,
                    started: *at,
                    issued: true,
                    ended,
                });
                tokens.push(None);
            }
            _ => {}
        }
    }
    releases
}
