//! What people ask for.

use schemars::JsonSchema;
use serde::Serialize;

use super::AskJson;
use crate::domain::{Ask, CommitSha, PhaseName, Request};

/// What somebody asked for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AskedJson<'a> {
    /// What for.
    pub ask: AskJson,
    /// The commit that it is about; for a rollback, the one to leave.
    pub sha: &'a str,
    /// For a rollback, the commit to go back to.
    pub to: Option<&'a str>,
    /// For a retry, the first phase to run again; for a skip, the phase to leave out.
    pub phase: Option<&'a str>,
    /// Why, in their words.
    pub why: Option<&'a str>,
}

/// A request that waits to be taken into account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestJson<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who asked.
    pub by: &'a str,
    /// When.
    pub at: String,
    /// What for.
    #[serde(flatten)]
    pub asked: AskedJson<'a>,
}

impl<'a> AskedJson<'a> {
    /// What was asked for, and why.
    pub fn of(ask: &'a Ask, why: Option<&'a str>) -> Self {
        let (sha, to, phase) = match ask {
            Ask::Retry { sha, phase } | Ask::Skip { sha, phase } => (sha, None, Some(phase)),
            Ask::Cancel { sha } | Ask::Release { sha } => (sha, None, None),
            Ask::Rollback { from, to } => (from, Some(to), None),
        };
        let (to, phase) = (to.map(CommitSha::as_str), phase.map(PhaseName::as_str));
        Self { ask: ask.into(), sha: sha.as_str(), to, phase, why }
    }
}

impl<'a> From<&'a Request> for RequestJson<'a> {
    fn from(Request { id, link: _, at, by, why, ask }: &'a Request) -> Self {
        Self { id: id.as_str(), by, at: at.to_string(), asked: AskedJson::of(ask, why.as_deref()) }
    }
}
