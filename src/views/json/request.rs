//! What people ask for.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ActorJson, AskJson};
use crate::domain::{Ask, CommitSha, Request};

/// What somebody asked for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AskedJson<'a> {
    /// The kind of request.
    pub ask: AskJson,
    /// The commit that it is about; for a rollback, the one to leave; null for a withdrawal.
    pub sha: Option<&'a str>,
    /// For a rollback, the commit to go back to.
    pub to: Option<&'a str>,
    /// For a retry, the first phase to run again; for a skip, the phase to leave out.
    pub phase: Option<&'a str>,
    /// For a withdrawal, the id of the request to take back.
    pub request: Option<&'a str>,
    /// The reason, in the words of the person who asked.
    pub why: Option<&'a str>,
}

/// A request that waits to be taken into account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestJson<'a> {
    /// The id of the request.
    pub id: &'a str,
    /// The name of the actor who asked.
    pub by: &'a str,
    /// The actor who asked, and how their identity was verified.
    pub actor: ActorJson<'a>,
    /// When it was recorded.
    pub at: String,
    /// What was asked for.
    #[serde(flatten)]
    pub asked: AskedJson<'a>,
}

impl<'a> AskedJson<'a> {
    /// What was asked for, and why.
    pub fn of(ask: &'a Ask, why: Option<&'a str>) -> Self {
        let about = |sha: &'a CommitSha| Self {
            ask: ask.into(),
            sha: Some(sha.as_str()),
            to: None,
            phase: None,
            request: None,
            why,
        };
        match ask {
            Ask::Retry { sha, phase } | Ask::Skip { sha, phase } => {
                Self { phase: Some(phase.as_str()), ..about(sha) }
            }
            Ask::Cancel { sha } | Ask::Release { sha } => about(sha),
            Ask::Rollback { from, to } => Self { to: Some(to.as_str()), ..about(from) },
            Ask::Withdraw { id } => {
                Self { ask: ask.into(), sha: None, to: None, phase: None, request: Some(id.as_str()), why }
            }
        }
    }
}

impl<'a> From<&'a Request> for RequestJson<'a> {
    fn from(Request { id, link: _, at, by, why, ask }: &'a Request) -> Self {
        let asked = AskedJson::of(ask, why.as_deref());
        Self { id: id.as_str(), by: &by.name, actor: by.into(), at: at.to_string(), asked }
    }
}
