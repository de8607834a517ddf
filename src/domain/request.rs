//! Requests of actors, recorded until the link's owner moves them into the journal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, CommitSha, LinkId, PhaseName, RequestId};

/// One recorded request. It is removed in the same transaction that writes its event: granted, refused or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Unique in a state store; sorts by time of recording.
    pub id: RequestId,
    /// The link it is for.
    pub link: LinkId,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who requested it.
    pub by: Actor,
    /// The reason they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was requested.
    pub ask: RequestKind,
}

impl Request {
    /// Whether it withdraws the request with this id.
    pub fn withdraws(&self, id: &RequestId) -> bool {
        matches!(&self.ask, RequestKind::Withdraw { id: of } if of == id)
    }
}

/// What an actor can request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RequestKind {
    /// Run the workflow again, from a phase on.
    Retry {
        /// The run's sha; the request is refused if the run is for another.
        sha: CommitSha,
        /// The first phase to run again, with all phases after it.
        phase: PhaseName,
    },
    /// Count a phase as done for a sha.
    Skip {
        /// The run's sha.
        sha: CommitSha,
        /// The phase to skip.
        phase: PhaseName,
    },
    /// Count a phase that was skipped on request as success, so that the run verifies its commit.
    Waive {
        /// The run's sha.
        sha: CommitSha,
        /// The skipped phase.
        phase: PhaseName,
    },
    /// End the run in progress.
    Cancel {
        /// The run's sha.
        sha: CommitSha,
    },
    /// Deploy a commit that was verified before, and quarantine what runs now.
    Rollback {
        /// The commit to leave and quarantine.
        from: CommitSha,
        /// The commit to deploy: one of [`super::Head::rollback_targets`].
        to: CommitSha,
    },
    /// Block rollbacks past a commit.
    Pin {
        /// The commit: what is live, or a rollback target.
        sha: CommitSha,
    },
    /// Unblock rollbacks past a commit.
    Unpin {
        /// The commit that was pinned, or whose message says so.
        sha: CommitSha,
    },
    /// Run a commit next, whichever one the link's pipeline would choose.
    Promote {
        /// The commit to run.
        sha: CommitSha,
    },
    /// Test the head of a pull request, merged into the branch.
    Test {
        /// The last commit of the pull request.
        sha: CommitSha,
    },
    /// Withdraw a request that is not granted yet.
    Withdraw {
        /// The request to withdraw.
        id: RequestId,
    },
    /// Release a commit that was rolled back, or that contains a rolled-back commit.
    Release {
        /// The commit to release.
        sha: CommitSha,
    },
}

impl RequestKind {
    /// Its name in output: `retry`, `skip`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::Waive { .. } => "waiver",
            Self::Cancel { .. } => "cancel",
            Self::Rollback { .. } => "rollback",
            Self::Release { .. } => "release",
            Self::Pin { .. } => "pin",
            Self::Unpin { .. } => "unpin",
            Self::Promote { .. } => "promotion",
            Self::Test { .. } => "test",
            Self::Withdraw { .. } => "withdraw",
        }
    }
}

/// A granted promotion: the next commit of a link in a pipeline, as an actor chose it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// The chosen commit.
    pub sha: CommitSha,
    /// Who chose it.
    pub by: Actor,
    /// When it was granted.
    pub at: Timestamp,
    /// The reason they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
