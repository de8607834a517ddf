//! Checks and records what actors request for a link. Never decides it.
//!
//! [`check`] compares an action with what is recorded about the link, and turns it into requests for exact commits.
//! [`prepare`] finds those that are already pending, and [`PreparedRequest::record`] records the others. None of this
//! needs the link's lease. The owner of the link grants or refuses each recorded request later, and records the
//! decision in the transaction that removes the request; `plan` determines which it will be.
//!
//! A caller checks the requests of all links before it records the first one, so that a mistake records nothing.

mod cancel;
mod commit_prefix;
mod error;
mod pending;
mod pin;
mod promote;
mod record;
mod release;
mod retry;
mod rollback;
mod skip;
mod test;
mod waive;
mod wanted;
mod withdraw;

#[cfg(test)]
mod tests;

pub use commit_prefix::{CommitPrefixError, find_commit};
pub use error::{Refusal, RequestError};
pub use record::{PreparedRequest, RecordedRequest, decided, prepare, proposed, refuses};

use crate::access::Right;
use crate::domain::{Actor, CommitSha, Head, LinkId, PhaseName, RequestId, RequestKind};
use crate::estate::Estate;

/// What an actor can request for a link, with defaults for what the link's state determines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Resume the last run, or release the wanted commit if it was rolled back or contains a commit that was.
    Retry {
        /// The phase to restart from; `None`: the failed phase.
        phase: Option<PhaseName>,
    },
    /// Count a phase as done for one commit.
    Skip {
        /// The phase to skip.
        phase: PhaseName,
        /// The commit, which must be the wanted one; `None` for the one whose run is unfinished.
        sha: Option<CommitSha>,
    },
    /// Let a commit count as verified without a phase that was skipped on request.
    Waive {
        /// The skipped phase.
        phase: PhaseName,
        /// The commit, which must be that of the last run; `None` for that.
        sha: Option<CommitSha>,
    },
    /// End the run in progress.
    Cancel,
    /// Deploy a commit that was verified before, and quarantine the live one.
    Rollback {
        /// The sha of the commit to deploy, or a prefix of it; `None` for the last verified commit.
        to: Option<String>,
    },
    /// Release a rolled-back commit, or a commit that contains it.
    Release {
        /// Its sha, a prefix of it, or another name for it.
        sha: String,
    },
    /// Choose the next commit of a link in a pipeline.
    Promote {
        /// A sha, a prefix of one, a branch or a tag; `None` for the newest commit that may run.
        sha: Option<String>,
    },
    /// Block rollbacks past a commit.
    Pin {
        /// Its sha, or a prefix of it.
        sha: String,
    },
    /// Unblock rollbacks past a commit.
    Unpin {
        /// Its sha, or a prefix of it.
        sha: String,
    },
    /// Test the head of a pull request, merged into the branch.
    Test {
        /// A sha, a prefix of one, a branch or a tag.
        sha: String,
    },
    /// Withdraw pending requests.
    Withdraw(Withdrawal),
}

/// The pending requests to withdraw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The only one; refused if there are several.
    Only,
    /// Those with these ids; refused if one of them is not pending.
    Ids(Vec<RequestId>),
    /// Every pending request of the link.
    All,
}

/// A request that the state of its link allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRequest {
    /// What is requested, for an exact commit.
    pub kind: RequestKind,
    /// The sentence that tells the actor what was recorded.
    pub confirmation: String,
}

/// Turns an action of an actor into requests for `link`, usually one. Fails if `head`, the link's recorded state, rules
/// it out, or if the actor does not have the right.
///
/// Records nothing. A retry and a skip query the repository, a withdrawal reads the pending requests.
pub async fn check(
    (estate, by): (&Estate, &Actor),
    link: &LinkId,
    head: &Head,
    action: &Action,
) -> Result<Vec<CheckedRequest>, RequestError> {
    if let Some((command, right)) = action.right() {
        permitted(estate, by, right, (command, link))?;
    }
    let request = match action {
        Action::Retry { phase } => retry::check(estate, link, head, phase.as_ref()).await?,
        Action::Skip { phase, sha } => skip::check(estate, link, head, phase, sha.as_ref()).await?,
        Action::Waive { phase, sha } => waive::check(link, head, phase, sha.as_ref())?,
        Action::Cancel => cancel::check(link, head)?,
        Action::Rollback { to } => rollback::check(estate, link, head, to.as_deref()).await?,
        Action::Release { sha } => release::check(estate, link, head, sha).await?,
        Action::Promote { sha } => promote::check((estate, by), link, head, sha.as_deref()).await?,
        Action::Pin { sha } => pin::pin(link, head, sha)?,
        Action::Unpin { sha } => pin::unpin(link, head, sha)?,
        Action::Test { sha } => test::check(estate, link, head, sha).await?,
        Action::Withdraw(withdrawal) => return withdraw::check((estate, by), link, withdrawal).await,
    };
    // A retry may turn out to be a release.
    let right = Right::of(&request.kind);
    permitted(estate, by, right, (right.command(), link))?;
    Ok(vec![request])
}

/// Refuses what an actor does not have the right to do with a command.
pub fn permitted(
    estate: &Estate,
    by: &Actor,
    right: Right,
    (command, link): (&str, &LinkId),
) -> Result<(), RequestError> {
    match estate.manifest().access.refusal(by, right, link) {
        None => Ok(()),
        Some(what) => {
            let hint = format!("`katkit who-can {command} {link}` shows who does");
            Err(RequestError::refused(what, hint))
        }
    }
}

impl Action {
    /// Its command, and the right that it takes, at least; `None`: that depends on what it withdraws.
    fn right(&self) -> Option<(&'static str, Right)> {
        Some(match self {
            Self::Retry { .. } => ("retry", Right::Request),
            Self::Skip { .. } => ("skip", Right::Request),
            Self::Cancel => ("cancel", Right::Request),
            Self::Rollback { .. } => ("rollback", Right::Rollback),
            Self::Pin { .. } | Self::Unpin { .. } => ("pin", Right::Rollback),
            Self::Release { .. } => ("release", Right::Approve),
            Self::Waive { .. } => ("waive", Right::Approve),
            Self::Promote { .. } => ("promote", Right::Promote),
            Self::Test { .. } => ("test", Right::Request),
            Self::Withdraw(_) => return None,
        })
    }
}
