//! What a person asked for, recorded until the owner of the link takes it into the journal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, CommitSha, LinkId, PhaseName, RequestId};

/// One recorded request. It is removed in the same transaction that writes its event: granted, refused or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Unique in a state store; sorts by time of recording.
    pub id: RequestId,
    /// For which link.
    pub link: LinkId,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who asked.
    pub by: Actor,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What for.
    pub ask: Ask,
}

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Run the workflow again, from this phase on.
    Retry {
        /// The sha whose run is meant; a request for another is refused.
        sha: CommitSha,
        /// The first phase to run again, with all that follow it.
        phase: PhaseName,
    },
    /// Count this phase as done for this sha.
    Skip {
        /// The sha whose run is meant.
        sha: CommitSha,
        /// The phase to leave out.
        phase: PhaseName,
    },
    /// End the run in progress.
    Cancel {
        /// The sha whose run is meant.
        sha: CommitSha,
    },
    /// Deploy a commit that was verified before, and quarantine what runs now.
    Rollback {
        /// What to leave, and to quarantine.
        from: CommitSha,
        /// What to deploy: one of [`super::Head::ways_back`].
        to: CommitSha,
    },
    /// Take back a request that was not granted yet.
    Withdraw {
        /// The request to take back.
        id: RequestId,
    },
    /// Release a commit that was rolled back, or that contains a rolled-back commit.
    Release {
        /// The commit.
        sha: CommitSha,
    },
}

impl Ask {
    /// The word that names it in output: `retry`, `skip`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::Cancel { .. } => "cancel",
            Self::Rollback { .. } => "rollback",
            Self::Release { .. } => "release",
            Self::Withdraw { .. } => "withdraw",
        }
    }
}
