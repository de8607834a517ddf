//! The steps of a plan as programs read them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, Execution, Phase, PhaseKind, PhaseName, RunPhase};
use crate::plan::{Because, CommitLine, DeployStep, ImageChange, Step};
use crate::views::{
    BecauseJson, OnFailureJson, PurposeJson, RequestJson, RunOutcomeJson, RunReasonJson, StrategyJson,
};

/// One thing to do.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepJson<'a> {
    /// Grant a request.
    Accept {
        /// What was asked for.
        request: RequestJson<'a>,
    },
    /// Refuse a request, on record.
    Refuse {
        /// What was asked for.
        request: RequestJson<'a>,
        /// Why it cannot be granted.
        why: &'a str,
    },
    /// Drop a request that was taken back before it was granted.
    Withdraw {
        /// What was asked for.
        request: RequestJson<'a>,
        /// The request that takes it back.
        by: RequestJson<'a>,
    },
    /// End and remove what a dead process left of an attempt that is not wanted any more.
    Recover {
        /// At which phase.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// Find out how a deployment ended that a dead process had begun.
    Settle {
        /// Of which commit.
        sha: &'a str,
    },
    /// Give back the lease of a dead process that left nothing else.
    Free {
        /// Whose it was, in words.
        owner: &'a str,
    },
    /// Close a run.
    EndRun {
        /// Its id.
        run: &'a str,
        /// For which commit.
        sha: &'a str,
        /// As what.
        outcome: RunOutcomeJson,
    },
    /// Open a run.
    StartRun {
        /// For which commit.
        sha: &'a str,
        /// Why.
        because: RunReasonJson,
        /// Its phases, ascending by order.
        phases: Vec<RunPhaseJson<'a>>,
        /// Changes when the workflow does.
        workflow: &'a str,
    },
    /// Count a phase as done because the manifest says `skip`.
    Skip {
        /// Which.
        phase: &'a str,
        /// Of the run for this commit.
        sha: &'a str,
    },
    /// Let a phase be run that the manifest does not skip any more.
    Restore {
        /// The phase that was skipped.
        phase: &'a str,
        /// The commit whose run it belongs to.
        sha: &'a str,
    },
    /// Run a phase.
    Run {
        /// Its name.
        phase: &'a str,
        /// Its place in the workflow; phases of the same order run at the same time.
        order: i64,
        /// Why.
        because: BecauseJson,
        /// The attempt in flight that is taken over, where that is the reason.
        attempt: Option<u32>,
        /// How many services run it at the same time.
        replicas: u32,
        /// Builder image; null: the fleet's default.
        image: Option<&'a str>,
        /// Seconds until it is ended.
        timeout_seconds: u64,
        /// How often a failed attempt is tried again without being asked.
        retries: u32,
    },
    /// Roll the services.
    Deploy(DeployJson<'a>),
    /// Record that something runs which was not deployed from here.
    Adopt {
        /// The commit in its images.
        sha: &'a str,
        /// The image of every role, by its name.
        images: BTreeMap<&'a str, &'a str>,
        /// The platform's name of it.
        revision: &'a str,
    },
    /// Keep a commit from being deployed here.
    Quarantine {
        /// Which.
        sha: &'a str,
        /// Why.
        why: &'a str,
        /// The commit that is restored.
        restored: Option<&'a str>,
        /// Whether commits that contain it are held, too.
        with_descendants: bool,
    },
    /// Record that the link left the manifest. What runs is left alone.
    Forget,
    /// Go on with what is recorded under the link's old name.
    Move {
        /// Its old name.
        from: String,
    },
}

/// A deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeployJson<'a> {
    /// The phase of the workflow; null for a repair or a rollback.
    pub phase: Option<&'a str>,
    /// Its place in the workflow.
    pub order: i64,
    /// What it is for.
    pub because: PurposeJson,
    /// The commit that was deployed last.
    pub from: Option<&'a str>,
    /// The commit that is deployed.
    pub to: &'a str,
    /// The roles that are rolled, in the order of the service description.
    pub images: Vec<ImageJson<'a>>,
    /// The unified diff of the service description.
    pub diff: &'a str,
    /// The commits in between, newest first.
    pub commits: Vec<CommitJson<'a>>,
    /// How many more there are.
    pub more_commits: usize,
    /// In which order the roles are rolled.
    pub strategy: StrategyJson,
    /// Seconds until it is given up.
    pub timeout_seconds: u64,
    /// What happens when a later phase fails.
    pub on_failure: OnFailureJson,
}

/// The image of a role, before and after.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImageJson<'a> {
    /// Which role.
    pub role: &'a str,
    /// What runs now; null: nothing that is known.
    pub from: Option<&'a str>,
    /// What will run.
    pub to: &'a str,
}

/// A commit in one line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CommitJson<'a> {
    /// Which.
    pub sha: &'a str,
    /// The author's name.
    pub author: &'a str,
    /// The first line of the message.
    pub subject: &'a str,
}

/// A phase of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunPhaseJson<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its place.
    pub order: i64,
    /// Whether it is the deployment.
    pub deployment: bool,
    /// Whether the manifest leaves it out.
    pub skipped: bool,
    /// Whether it is not repeated, since it succeeded in the run before.
    pub kept: bool,
}

impl<'a> From<&'a Step> for StepJson<'a> {
    fn from(step: &'a Step) -> Self {
        match step {
            Step::Accept { request } => Self::Accept { request: request.into() },
            Step::Refuse { request, why } => Self::Refuse { request: request.into(), why },
            Step::Withdraw { request, by } => Self::Withdraw { request: request.into(), by: (&**by).into() },
            Step::Restore { phase, sha } => Self::Restore { phase: phase.as_str(), sha: sha.as_str() },
            Step::Recover { phase, attempt } => Self::Recover { phase: phase.as_str(), attempt: attempt.0 },
            Step::Settle { sha } => Self::Settle { sha: sha.as_str() },
            Step::Free { owner } => Self::Free { owner },
            Step::EndRun { run, sha, outcome } => {
                Self::EndRun { run: run.as_str(), sha: sha.as_str(), outcome: outcome.into() }
            }
            Step::StartRun { sha, reason, phases, workflow } => Self::StartRun {
                sha: sha.as_str(),
                because: reason.into(),
                phases: phases.iter().map(RunPhaseJson::from).collect(),
                workflow,
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

fn run<'a>(phase: &'a Phase, because: &Because) -> StepJson<'a> {
    let Phase { name, order, kind } = phase;
    let attempt = match because {
        Because::InFlight { attempt } => Some(attempt.0),
        Because::NeverRan | Because::Retry | Because::Lost | Because::Interrupted => None,
    };
    let (replicas, image, timeout_seconds, retries) = match kind {
        PhaseKind::Execution(Execution { image, timeout, parallelism, retries, .. }) => {
            (*parallelism, image.as_deref(), *timeout, *retries)
        }
        PhaseKind::Deployment(deploy) => (1, None, deploy.timeout, 0),
    };
    let (phase, order, because) = (name.as_str(), *order, because.into());
    StepJson::Run { phase, order, because, attempt, replicas, image, timeout_seconds, retries }
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
            // Long, and the diff says what changes of it.
            description: _,
            diff,
            commits,
            more_commits,
            strategy,
            timeout,
            on_failure,
        } = deploy;
        Self {
            phase: phase.as_ref().map(PhaseName::as_str),
            order: *order,
            because: purpose.into(),
            from: from.as_ref().map(CommitSha::as_str),
            to: to.as_str(),
            images: images.iter().map(ImageJson::from).collect(),
            diff,
            commits: commits.iter().map(CommitJson::from).collect(),
            more_commits: *more_commits,
            strategy: strategy.into(),
            timeout_seconds: *timeout,
            on_failure: on_failure.into(),
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
    fn from(RunPhase { name, order, deployment, skipped, kept }: &'a RunPhase) -> Self {
        let (order, deployment, skipped, kept) = (*order, *deployment, *skipped, *kept);
        Self { name: name.as_str(), order, deployment, skipped, kept }
    }
}
