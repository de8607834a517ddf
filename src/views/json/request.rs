//! Requests in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ActorJson, RequestKindJson};
use crate::domain::{CommitSha, Request, RequestKind};

/// What was requested.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestedJson<'a> {
    /// The kind of request.
    pub request_kind: RequestKindJson,
    /// The commit the request is about; for a rollback, the commit to roll back from; null for a withdrawal.
    pub sha: Option<&'a str>,
    /// For a rollback, the commit to deploy; null otherwise.
    pub to: Option<&'a str>,
    /// For a retry, the first phase to run again; for a skip, the phase to skip; null otherwise.
    pub phase: Option<&'a str>,
    /// For a withdrawal, the id of the withdrawn request; null otherwise.
    pub request: Option<&'a str>,
    /// The reason the actor gave; null if none.
    pub why: Option<&'a str>,
}

/// A pending request: recorded, but neither granted nor refused yet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestJson<'a> {
    /// The id of the request.
    pub id: &'a str,
    /// The name of the requester.
    pub by: &'a str,
    /// The requester, and how their identity was verified.
    pub actor: ActorJson<'a>,
    /// When it was recorded.
    pub at: String,
    /// What was requested.
    #[serde(flatten)]
    pub asked: RequestedJson<'a>,
}

impl<'a> RequestedJson<'a> {
    /// The request with its reason.
    pub fn of(ask: &'a RequestKind, why: Option<&'a str>) -> Self {
        let about = |sha: &'a CommitSha| Self {
            request_kind: ask.into(),
            sha: Some(sha.as_str()),
            to: None,
            phase: None,
            request: None,
            why,
        };
        match ask {
            RequestKind::Retry { sha, phase }
            | RequestKind::Skip { sha, phase }
            | RequestKind::Waive { sha, phase } => Self { phase: Some(phase.as_str()), ..about(sha) },
            RequestKind::Cancel { sha }
            | RequestKind::Release { sha }
            | RequestKind::Pin { sha }
            | RequestKind::Unpin { sha }
            | RequestKind::Promote { sha }
            | RequestKind::Test { sha } => about(sha),
            RequestKind::Rollback { from, to } => Self { to: Some(to.as_str()), ..about(from) },
            RequestKind::Withdraw { id } => Self {
                request_kind: ask.into(),
                sha: None,
                to: None,
                phase: None,
                request: Some(id.as_str()),
                why,
            },
        }
    }
}

impl<'a> From<&'a Request> for RequestJson<'a> {
    fn from(Request { id, link: _, at, by, why, ask }: &'a Request) -> Self {
        let asked = RequestedJson::of(ask, why.as_deref());
        Self { id: id.as_str(), by: &by.name, actor: by.into(), at: at.to_string(), asked }
    }
}
