//! What a plan does: steps per link, in order, each with all that its execution needs.

use serde::{Deserialize, Serialize};

use super::{Hold, Stray};
use crate::domain::{
    AttemptNumber, CommitSha, DeployPurpose, Generation, Lease, LinkId, OnFailure, Phase, PhaseName, Request,
    RunId, RunOutcome, RunPhase, RunReason, Strategy,
};

/// What must happen, and what is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this format, as `plan --out` writes it.
    pub version: u32,
    /// [`crate::manifest::Manifest::digest`] of the manifest that it was made from.
    pub manifest: String,
    /// Whether only the record was to be brought in line with what runs.
    pub refresh_only: bool,
    /// The links with something to do, to hold or to say, in the order of the ids.
    pub links: Vec<LinkPlan>,
    /// Services that nobody owns, to be removed.
    pub sweeps: Vec<Stray>,
    /// How many links need nothing.
    pub up_to_date: usize,
}

/// What must happen to one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPlan {
    /// Which.
    pub link: LinkId,
    /// The generation that it was planned from: an executor refuses any other.
    pub base: Generation,
    /// [`crate::manifest::Manifest::fingerprint`] of what it was made from.
    pub concern: String,
    /// The lease of a dead owner, to be taken over if it is still as it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<Lease>,
    /// What is deployed.
    pub deployed: Option<CommitSha>,
    /// What the manifest asks for, where that could be found out.
    pub want: Option<CommitSha>,
    /// What to do, in order; phases of the same order at the same time.
    pub steps: Vec<Step>,
    /// What to deploy if a phase after the deployment fails and the workflow says `on-failure = "rollback"`.
    pub on_failure: Option<DeployStep>,
    /// What is not done, and why.
    pub holds: Vec<Hold>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Grant a request.
    Accept {
        /// What was asked for.
        request: Request,
    },
    /// Refuse a request, on record.
    Refuse {
        /// What was asked for.
        request: Request,
        /// Why it cannot be granted.
        why: String,
    },
    /// Drop a request that was taken back before it was granted.
    Withdraw {
        /// What was asked for.
        request: Request,
        /// The request that takes it back.
        by: Box<Request>,
    },
    /// End and remove what a dead process left of an attempt that is not wanted any more.
    Recover {
        /// At which phase.
        phase: PhaseName,
        /// Which attempt.
        attempt: AttemptNumber,
    },
    /// Find out how a deployment ended that a dead process had begun.
    Settle {
        /// Of which sha.
        sha: CommitSha,
    },
    /// Give back the lease of a dead process that left nothing else.
    Free {
        /// Whose it was, in words.
        owner: String,
    },
    /// Close a run.
    EndRun {
        /// Which.
        run: RunId,
        /// For which sha.
        sha: CommitSha,
        /// As what.
        outcome: RunOutcome,
    },
    /// Open a run.
    StartRun {
        /// For which sha.
        sha: CommitSha,
        /// Why.
        reason: RunReason,
        /// Its phases.
        phases: Vec<RunPhase>,
        /// The digest of its workflow.
        workflow: String,
    },
    /// Count a phase as done because the manifest says `skip`.
    Skip {
        /// Which.
        phase: PhaseName,
        /// Of the run for this sha.
        sha: CommitSha,
    },
    /// Let a phase be run that the manifest does not skip any more.
    Restore {
        /// The phase that was skipped.
        phase: PhaseName,
        /// The commit whose run it belongs to.
        sha: CommitSha,
    },
    /// Run a phase.
    Run {
        /// Which, and how.
        phase: Box<Phase>,
        /// Why.
        because: Because,
    },
    /// Roll the services.
    Deploy(Box<DeployStep>),
    /// Record that something runs which katkit did not deploy.
    Adopt {
        /// The sha in its images.
        sha: CommitSha,
        /// The image of every role.
        images: crate::domain::Images,
        /// The platform's name of it.
        revision: String,
    },
    /// Keep a commit, and what contains it, from being deployed here.
    Quarantine {
        /// The commit.
        sha: CommitSha,
        /// Why.
        why: String,
        /// The commit that is restored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        good: Option<CommitSha>,
        /// Not what contains it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        alone: bool,
    },
    /// Record that the link left the manifest.
    Forget,
    /// Take over the record of the link's old name.
    Move {
        /// Its old name.
        from: LinkId,
        /// The generation that it was planned from: an executor refuses any other.
        base: Generation,
        /// The lease of a dead owner of the old name, to be taken over if it is still as it was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        takes_over: Option<Lease>,
    },
}

/// Why a phase is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Because {
    /// It has not run yet.
    NeverRan,
    /// A person asked for it, or a failure is tried again as the workflow says.
    Retry,
    /// Its last attempt was lost.
    Lost,
    /// Its last attempt was interrupted.
    Interrupted,
    /// An attempt is in flight that belongs to a dead process: it is taken over.
    InFlight {
        /// Which.
        attempt: AttemptNumber,
    },
}

/// A deployment to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployStep {
    /// The phase of the workflow; `None` for a repair or a rollback.
    pub phase: Option<PhaseName>,
    /// The phase's place in the workflow.
    pub order: i64,
    /// What it is for.
    pub purpose: DeployPurpose,
    /// What runs now.
    pub from: Option<CommitSha>,
    /// What will run.
    pub to: CommitSha,
    /// The roles that are rolled, in the file's order.
    pub images: Vec<ImageChange>,
    /// The whole new service description.
    pub description: String,
    /// The unified diff from what runs now.
    pub diff: String,
    /// The commits in between, newest first.
    pub commits: Vec<CommitLine>,
    /// How many more there are.
    pub more_commits: usize,
    /// One role after the other, or together.
    pub strategy: Strategy,
    /// Seconds until it is given up.
    pub timeout: u64,
    /// What happens when a later phase fails.
    pub on_failure: OnFailure,
}

/// The image of one role, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageChange {
    /// Which role.
    pub role: String,
    /// What runs now, if anything.
    pub from: Option<String>,
    /// What will run.
    pub to: String,
}

/// A commit in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitLine {
    /// Which.
    pub sha: CommitSha,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
}

impl Plan {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 4;

    /// Whether there is anything to do.
    pub fn has_steps(&self) -> bool {
        !self.sweeps.is_empty() || self.links.iter().any(|link| !link.steps.is_empty())
    }

    /// Whether anything that the plan needs could not be found out.
    pub fn has_errors(&self) -> bool {
        self.holds().any(|hold| hold.reason.is_error())
    }

    /// Whether something stays where it is until a person does something about it: it failed, was rolled back or cancelled,
    /// or could not be found out.
    pub fn is_held(&self) -> bool {
        self.holds().any(|hold| !hold.reason.is_elsewhere())
    }

    /// Whether another process has one of the links.
    pub fn is_elsewhere(&self) -> bool {
        self.holds().any(|hold| hold.reason.is_elsewhere())
    }

    fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.links.iter().flat_map(|link| &link.holds)
    }
}

impl LinkPlan {
    /// Whether there is nothing to do, to hold or to say.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty() && self.notes.is_empty()
    }
}
