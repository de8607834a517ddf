//! The steps of a plan as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, Execution, Phase, PhaseKind, PhaseName, RunPhase};
use crate::plan::{CommitLine, DeployStep, ImageChange, Step, StepReason};
use crate::views::json::StartedTestJson;
use crate::views::{
    OnFailureJson, PurposeJson, RequestJson, RunOutcomeJson, RunReasonJson, StepReasonJson, StrategyJson,
};

/// One step of a plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepJson<'a> {
    /// Grant a request.
    Grant {
        /// The request.
        request: RequestJson<'a>,
    },
    /// Refuse a request and record the refusal.
    Refuse {
        /// The request.
        request: RequestJson<'a>,
        /// Why it is refused.
        why: &'a str,
    },
    /// Drop a request that was withdrawn before it was granted.
    Withdraw {
        /// The request.
        request: RequestJson<'a>,
        /// The request that withdraws it.
        by: RequestJson<'a>,
    },
    /// Stop and remove what a dead process left of an attempt that is no longer wanted.
    Recover {
        /// The phase of the attempt.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// Finalize a deployment that a dead process left in flight: determine its outcome and record it.
    Finalize {
        /// The commit that was being deployed.
        sha: &'a str,
    },
    /// Release the lease of a dead process that left nothing else.
    ReleaseLease {
        /// A description of the process that held it.
        owner: &'a str,
    },
    /// Close a run.
    EndRun {
        /// The id of the run.
        run: &'a str,
        /// The commit the run is for.
        sha: &'a str,
        /// The outcome of the run.
        outcome: RunOutcomeJson,
        /// Why katkit itself cancels it; null otherwise.
        because: Option<&'a str>,
    },
    /// Open a run.
    StartRun {
        /// The commit the run is for.
        sha: &'a str,
        /// Why the run starts.
        reason: RunReasonJson,
        /// The phases of the run, ascending by order.
        phases: Vec<RunPhaseJson<'a>>,
        /// A digest of the workflow; changes when the workflow does.
        workflow: &'a str,
        /// The test of a pull request that the run is; null if it is none.
        test: Option<StartedTestJson<'a>>,
        /// The id of the request that the run grants; null if it grants none.
        request: Option<&'a str>,
    },
    /// Count a phase as done because the manifest skips it.
    Skip {
        /// The phase to skip.
        phase: &'a str,
        /// The commit whose run it belongs to.
        sha: &'a str,
    },
    /// Restore a phase that the manifest no longer skips.
    Restore {
        /// The phase that was skipped.
        phase: &'a str,
        /// The commit whose run it belongs to.
        sha: &'a str,
    },
    /// Run a phase.
    Run {
        /// The phase to run.
        phase: &'a str,
        /// Its position in the workflow; phases of the same order run at the same time.
        order: i64,
        /// Why the phase runs.
        reason: StepReasonJson,
        /// The attempt in flight to take over; null if there is none.
        attempt: Option<u32>,
        /// The number of replicas that run at the same time.
        replicas: u32,
        /// The builder image; null for the fleet's default.
        image: Option<&'a str>,
        /// Seconds until it times out.
        timeout_seconds: u64,
        /// How many times a failed attempt is retried automatically.
        retries: u32,
    },
    /// Roll the services.
    Deploy(DeployJson<'a>),
    /// Adopt a running service that katkit did not deploy.
    Adopt {
        /// The commit in its images.
        sha: &'a str,
        /// The image of every role, by role name.
        images: BTreeMap<&'a str, &'a str>,
        /// The platform's id of the running revision.
        revision: &'a str,
    },
    /// Keep a commit from being deployed here.
    Quarantine {
        /// The commit to quarantine.
        sha: &'a str,
        /// The reason.
        why: &'a str,
        /// The commit that is restored; null if none.
        restored: Option<&'a str>,
        /// Whether commits that contain it are quarantined too.
        with_descendants: bool,
    },
    /// Record that the link left the manifest. Running services are left alone.
    Forget,
    /// Move the record from the link's old name.
    Move {
        /// The old name of the link.
        from: String,
    },
}

/// A deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeployJson<'a> {
    /// The phase of the workflow; null for a repair or a rollback.
    pub phase: Option<&'a str>,
    /// Its position in the workflow.
    pub order: i64,
    /// The purpose of the deployment.
    pub reason: PurposeJson,
    /// The commit that was deployed last; null if none.
    pub from: Option<&'a str>,
    /// The commit to deploy.
    pub to: &'a str,
    /// The roles to roll, in the order of the service description.
    pub images: Vec<ImageJson<'a>>,
    /// Whether it is by digest: an image without one gets it when the deployment begins.
    pub pinned: bool,
    /// The unified diff of the service description.
    pub diff: &'a str,
    /// The commits between `from` and `to`, newest first.
    pub commits: Vec<CommitJson<'a>>,
    /// The number of further commits that are not listed.
    pub more_commits: usize,
    /// The order in which the roles are rolled.
    pub strategy: StrategyJson,
    /// Seconds until the deployment times out.
    pub timeout_seconds: u64,
    /// What happens when a later phase fails.
    pub on_failure: OnFailureJson,
    /// The commit that it brings and that must not be undone; null if there is none.
    pub barrier: Option<&'a str>,
}

/// The image of a role, before and after.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImageJson<'a> {
    /// The name of the role.
    pub role: &'a str,
    /// The image that runs now; null if unknown.
    pub from: Option<&'a str>,
    /// The image to deploy.
    pub to: &'a str,
}

/// A summary of a commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CommitJson<'a> {
    /// The commit id.
    pub sha: &'a str,
    /// The author's name.
    pub author: &'a str,
    /// The first line of the commit message.
    pub subject: &'a str,
}

/// A phase of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunPhaseJson<'a> {
    /// The name of the phase.
    pub name: &'a str,
    /// Its position in the workflow.
    pub order: i64,
    /// Whether it is the deployment phase.
    pub deployment: bool,
    /// Whether the manifest skips it.
    pub skipped: bool,
    /// Whether it is not repeated because it succeeded in the previous run.
    pub kept: bool,
    /// The link that built its images, so that it does not run; null if it runs.
    pub reused: Option<String>,
}

impl<'a> From<&'a Step> for StepJson<'a> {
    fn from(step: &'a Step) -> Self {
        match step {
            Step::Accept { request } => Self::Grant { request: request.into() },
            Step::Refuse { request, why } => Self::Refuse { request: request.into(), why },
            Step::Withdraw { request, by } => Self::Withdraw { request: request.into(), by: (&**by).into() },
            Step::Restore { phase, sha } => Self::Restore { phase: phase.as_str(), sha: sha.as_str() },
            Step::Recover { phase, attempt } => Self::Recover { phase: phase.as_str(), attempt: attempt.0 },
            Step::Finalize { sha } => Self::Finalize { sha: sha.as_str() },
            Step::ReleaseLease { owner } => Self::ReleaseLease { owner },
            Step::EndRun { run, sha, outcome, because } => Self::EndRun {
                run: run.as_str(),
                sha: sha.as_str(),
                outcome: outcome.into(),
                because: because.as_deref(),
            },
            Step::StartRun { sha, reason, phases, workflow, test, grants } => Self::StartRun {
                sha: sha.as_str(),
                reason: reason.into(),
                phases: phases.iter().map(RunPhaseJson::from).collect(),
                workflow,
                test: test.as_deref().map(StartedTestJson::from),
                request: grants.as_ref().map(|request| request.id.as_str()),
            },
            Step::Skip { phase, sha } => Self::Skip { phase: phase.as_str(), sha: sha.as_str() },
            Step::Run { phase, because } => run(phase, because),
            Step::Deploy(deploy) => Self::Deploy(deploy.as_ref().into()),
            Step::Adopt { sha, images, revision } => Self::Adopt {
                sha: sha.as_str(),
                images: images.iter().map(|(role, image)| (role.as_str(), image.as_str())).collect(),
                revision,
            },
            Step::Quarantine { sha, why, good, alone } => {
                let restored = good.as_ref().map(CommitSha::as_str);
                Self::Quarantine { sha: sha.as_str(), why, restored, with_descendants: !alone }
            }
            Step::Forget => Self::Forget,
            Step::Move { from, base: _, takes_over: _ } => Self::Move { from: from.to_string() },
        }
    }
}

fn run<'a>(phase: &'a Phase, because: &StepReason) -> StepJson<'a> {
    let Phase { name, order, kind } = phase;
    let attempt = match because {
        StepReason::InFlight { attempt } => Some(attempt.0),
        StepReason::NotRunYet | StepReason::Retry | StepReason::Lost | StepReason::Interrupted => None,
    };
    let (replicas, image, timeout_seconds, retries) = match kind {
        PhaseKind::Execution(Execution { image, timeout, parallelism, retries, .. }) => {
            (*parallelism, image.as_deref(), timeout.as_secs(), *retries)
        }
        PhaseKind::Deployment(deploy) => (1, None, deploy.timeout.as_secs(), 0),
    };
    let (phase, order, reason) = (name.as_str(), *order, because.into());
    StepJson::Run { phase, order, reason, attempt, replicas, image, timeout_seconds, retries }
}

impl<'a> From<&'a DeployStep> for DeployJson<'a> {
    fn from(deploy: &'a DeployStep) -> Self {
        let DeployStep {
            phase,
            order,
            purpose,
            from,
            to,
            images,
            pinned,
            // Too long; the diff shows what changes in it.
            description: _,
            diff,
            commits,
            more_commits,
            strategy,
            timeout,
            on_failure,
            barrier,
        } = deploy;
        Self {
            phase: phase.as_ref().map(PhaseName::as_str),
            order: *order,
            reason: purpose.into(),
            from: from.as_ref().map(CommitSha::as_str),
            to: to.as_str(),
            images: images.iter().map(ImageJson::from).collect(),
            pinned: *pinned,
            diff,
            commits: commits.iter().map(CommitJson::from).collect(),
            more_commits: *more_commits,
            strategy: strategy.into(),
            timeout_seconds: timeout.as_secs(),
            on_failure: on_failure.into(),
            barrier: barrier.as_ref().map(CommitSha::as_str),
        }
    }
}

impl<'a> From<&'a ImageChange> for ImageJson<'a> {
    fn from(ImageChange { role, from, to }: &'a ImageChange) -> Self {
        Self { role, from: from.as_deref(), to }
    }
}

impl<'a> From<&'a CommitLine> for CommitJson<'a> {
    fn from(CommitLine { sha, author, subject }: &'a CommitLine) -> Self {
        Self { sha: sha.as_str(), author, subject }
    }
}

impl<'a> From<&'a RunPhase> for RunPhaseJson<'a> {
    fn from(RunPhase { name, order, deployment, skipped, kept, reused }: &'a RunPhase) -> Self {
        let (order, deployment, skipped, kept) = (*order, *deployment, *skipped, *kept);
        let reused = reused.as_ref().map(ToString::to_string);
        Self { name: name.as_str(), order, deployment, skipped, kept, reused }
    }
}
