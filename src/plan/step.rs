//! The steps of a plan: per link, in order, each with everything that its execution needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ApprovalBasis, Hold, OrphanedService};
use crate::domain::{
    AttemptNumber, CommitSha, ConsentId, DeployPurpose, GateName, Generation, Lease, LinkId, OnFailure,
    Phase, PhaseName, Request, RunId, RunOutcome, RunPhase, RunReason, StartedTest, Strategy, TreeId,
};

/// A plan: what will be done, and what is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this format, as `plan --out` writes it.
    pub version: u32,
    /// [`crate::manifest::Manifest::digest`] of the manifest that it was made from.
    pub manifest: String,
    /// Whether the plan only brings the record in line with what runs.
    pub refresh_only: bool,
    /// The links with steps, holds or notes, ordered by id.
    pub links: Vec<LinkPlan>,
    /// Orphaned services to remove.
    pub sweeps: Vec<OrphanedService>,
    /// How many links are up to date.
    pub up_to_date: usize,
}

/// The plan of one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPlan {
    /// The link's id.
    pub link: LinkId,
    /// The generation that it was planned from; an executor refuses any other.
    pub base: Generation,
    /// [`crate::manifest::Manifest::fingerprint`] of what it was made from.
    pub concern: String,
    /// The observed lease of a dead owner, to take over if it has not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<Lease>,
    /// The deployed commit.
    pub deployed: Option<CommitSha>,
    /// The wanted commit, if known.
    pub want: Option<CommitSha>,
    /// What to do, in order; phases of the same order at the same time.
    pub steps: Vec<Step>,
    /// What to deploy if a phase after the deployment fails and the workflow says `on-failure = "rollback"`.
    pub on_failure: Option<DeployStep>,
    /// What is not done, and why.
    pub holds: Vec<Hold>,
    /// Notes for the reader.
    pub notes: Vec<String>,
    /// Commits that were rolled back elsewhere in its pipeline, which the plan took into account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rolled_back_elsewhere: Vec<CommitSha>,
    /// The rejections that the plan took into account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejections: Vec<ConsentId>,
    /// The conditions that an override waives for the commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<GateName>,
    /// The approvals that the commit needs and has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<ApprovalBasis>>,
    /// The commits whose review the policy requires, the oldest first. They have it, unless the plan holds the link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewed: Vec<CommitSha>,
    /// The images that a phase has to build before they are deployed by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpinned: Vec<String>,
    /// What the wanted commit contains, if a stage before may have tested the same before it landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed: Option<TreeId>,
}

#[cfg(test)]
impl LinkPlan {
    /// A plan of a link without a record.
    pub(crate) fn with_steps(link: &str, steps: Vec<Step>) -> Self {
        Self {
            link: link.parse().unwrap(),
            base: Generation(0),
            concern: String::new(),
            takes_over: None,
            deployed: None,
            want: None,
            steps,
            on_failure: None,
            holds: Vec::new(),
            notes: Vec::new(),
            rolled_back_elsewhere: Vec::new(),
            rejections: Vec::new(),
            waived: Vec::new(),
            approval: None,
            reviewed: Vec::new(),
            unpinned: Vec::new(),
            landed: None,
        }
    }
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Grant a request.
    Accept {
        /// The granted request.
        request: Request,
    },
    /// Refuse a request, on record.
    Refuse {
        /// The refused request.
        request: Request,
        /// Why it cannot be granted.
        why: String,
    },
    /// Drop a request that was withdrawn before it was granted.
    Withdraw {
        /// The withdrawn request.
        request: Request,
        /// The request that withdraws it.
        by: Box<Request>,
    },
    /// End and remove an unwanted attempt of a dead process.
    Recover {
        /// The phase of the attempt.
        phase: PhaseName,
        /// The attempt's number.
        attempt: AttemptNumber,
    },
    /// Finalize an in-flight deployment of a dead process.
    Finalize {
        /// The commit being deployed.
        sha: CommitSha,
    },
    /// Release the lease of a dead process that left nothing else.
    ReleaseLease {
        /// The dead process, as text.
        owner: String,
    },
    /// Close a run.
    EndRun {
        /// The run's id.
        run: RunId,
        /// The commit of the run.
        sha: CommitSha,
        /// The recorded outcome.
        outcome: RunOutcome,
        /// Why katkit itself cancels it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// Open a run.
    StartRun {
        /// The commit to run.
        sha: CommitSha,
        /// Why the run starts.
        reason: RunReason,
        /// Its phases.
        phases: Vec<RunPhase>,
        /// The digest of its workflow.
        workflow: String,
        /// The test that it starts, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<Box<StartedTest>>,
        /// The request that it grants.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grants: Option<Box<Request>>,
    },
    /// Count a phase as done because the manifest says `skip`.
    Skip {
        /// The skipped phase.
        phase: PhaseName,
        /// The commit of the run.
        sha: CommitSha,
    },
    /// Make a phase pending again that the manifest no longer skips.
    Restore {
        /// The phase that was skipped.
        phase: PhaseName,
        /// The commit of the run.
        sha: CommitSha,
    },
    /// Run a phase.
    Run {
        /// The phase with its settings.
        phase: Box<Phase>,
        /// Why the phase runs.
        because: StepReason,
    },
    /// Roll the services.
    Deploy(Box<DeployStep>),
    /// Record running services that katkit did not deploy.
    Adopt {
        /// The sha in its images.
        sha: CommitSha,
        /// The image of every role.
        images: crate::domain::Images,
        /// The platform's name for what runs.
        revision: String,
    },
    /// Keep a commit, and what contains it, from being deployed here.
    Quarantine {
        /// The commit.
        sha: CommitSha,
        /// The reason for the quarantine.
        why: String,
        /// The commit to roll back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        good: Option<CommitSha>,
        /// Whether commits that contain it are not affected.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        alone: bool,
    },
    /// Record that the link left the manifest.
    Forget,
    /// Take over the record of the link's old name.
    Move {
        /// Its old name.
        from: LinkId,
        /// The generation that it was planned from; an executor refuses any other.
        base: Generation,
        /// The observed lease of a dead owner of the old name, to take over if it has not changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        takes_over: Option<Lease>,
    },
}

/// Why a phase runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum StepReason {
    /// It has not run yet.
    NotRunYet,
    /// An actor requested it, or the workflow retries a failure.
    Retry,
    /// Its last attempt was lost.
    Lost,
    /// Its last attempt was interrupted.
    Interrupted,
    /// An in-flight attempt of a dead process is taken over.
    InFlight {
        /// The attempt's number.
        attempt: AttemptNumber,
    },
}

/// A deployment to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployStep {
    /// The phase of the workflow; `None` for a repair or a rollback.
    pub phase: Option<PhaseName>,
    /// The phase's order in the workflow.
    pub order: i64,
    /// The purpose of the deployment.
    pub purpose: DeployPurpose,
    /// What runs now.
    pub from: Option<CommitSha>,
    /// What will run.
    pub to: CommitSha,
    /// The roles that are rolled, in the file's order.
    pub images: Vec<ImageChange>,
    /// Whether it is by digest: an image without one gets it when the deployment begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The whole new service description.
    pub description: String,
    /// The unified diff from what runs now.
    pub diff: String,
    /// The commits in between, newest first.
    pub commits: Vec<CommitLine>,
    /// How many commits `commits` leaves out.
    pub more_commits: usize,
    /// Whether roles roll one by one or together.
    pub strategy: Strategy,
    /// Time until the deployment fails.
    #[serde(with = "crate::domain::seconds")]
    pub timeout: Duration,
    /// What to do if a later phase fails.
    pub on_failure: OnFailure,
    /// The commit that it brings and that must not be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<CommitSha>,
}

/// The image of one role, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageChange {
    /// The role's name.
    pub role: String,
    /// What runs now, if anything.
    pub from: Option<String>,
    /// What will run.
    pub to: String,
}

/// A commit in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitLine {
    /// The commit.
    pub sha: CommitSha,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
}

impl Plan {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 8;

    /// Whether there is anything to do.
    pub fn has_steps(&self) -> bool {
        !self.sweeps.is_empty() || self.links.iter().any(|link| !link.steps.is_empty())
    }

    /// Whether any information that the plan needs is unavailable.
    pub fn has_errors(&self) -> bool {
        self.holds().any(|hold| hold.reason.is_error())
    }

    /// Whether something needs user action: it failed, was rolled back or cancelled, or is unavailable. Waiting at a
    /// gate does not count.
    pub fn is_held(&self) -> bool {
        self.holds().any(Hold::needs_action)
    }

    /// Whether a deployment waits for a policy.
    pub fn waits_at_gate(&self) -> bool {
        self.holds().any(|hold| hold.is_of_policy())
    }

    /// Whether another process is working on one of the links.
    pub fn is_elsewhere(&self) -> bool {
        self.holds().any(|hold| hold.reason.is_elsewhere())
    }

    fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.links.iter().flat_map(|link| &link.holds)
    }
}

impl LinkPlan {
    /// Whether there are no steps, holds or notes.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty() && self.notes.is_empty()
    }

    /// Whether its deployment is by digest.
    pub fn pins(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Deploy(step) if step.pinned))
    }

    /// The hold of a deployment: that of the run, whose later phases wait for it, or that of a repair.
    pub fn held_deployment(&self) -> Option<&Hold> {
        self.holds.iter().find(|hold| !hold.scope.is_link())
    }
}
