//! The result of each link, for the summary at the end.

use crate::domain::{AttemptNumber, Cancellation, CommitSha, DeployPurpose, LinkId, Outcome, PhaseName};

/// The result of a plan.
#[derive(Debug, Default)]
pub struct Summary {
    /// The reports, ordered by link id.
    pub links: Vec<LinkReport>,
    /// The number of orphaned services removed.
    pub swept: usize,
    /// Whether Ctrl-C stopped it.
    pub interrupted: bool,
    /// The number of other links that the plan holds, which need attention.
    pub held: usize,
    /// The number of links refused because the saved plan is out of date for them.
    pub out_of_date: usize,
    /// Internal tasks that died, which should never happen; their errors.
    pub broken: Vec<String>,
}

/// A link with its result.
#[derive(Clone, Debug)]
pub struct LinkReport {
    /// The link.
    pub link: LinkId,
    /// The result of its steps.
    pub result: LinkResult,
}

/// The result of one link.
#[derive(Clone, Debug)]
pub enum LinkResult {
    /// Every step was done.
    Done {
        /// The commit now deployed.
        deployed: Option<CommitSha>,
    },
    /// Every step was done, and the rest waits: the deployment is held.
    Held {
        /// The commit that is still deployed.
        deployed: Option<CommitSha>,
        /// What waits, and why: a lowercase fragment.
        reason: String,
        /// What to do about it, if known.
        hint: Option<String>,
    },
    /// A phase or the deployment failed.
    Failed(Box<Failure>),
    /// An actor cancelled the run.
    Cancelled(Cancellation),
    /// Ctrl-C.
    Interrupted,
    /// Another process took the link after the plan was made, and is handling it.
    Overtaken {
        /// A description of that process, or of the change it made.
        by: String,
    },
    /// Its deployment did not start, because too many others failed.
    KeptBack {
        /// The links whose deployments failed.
        after: Vec<LinkId>,
    },
    /// The steps could not be carried out.
    Refused {
        /// The error with its causes.
        error: String,
        /// What to do about it, if known.
        hint: Option<String>,
    },
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailedStep {
    /// A phase of the run.
    Phase(PhaseName),
    /// A deployment outside a run, or one whose phase is unknown.
    Deployment(DeployPurpose),
}

impl FailedStep {
    /// The phase's name; `deploy`, `repair` or `rollback` for a deployment outside a run.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phase(name) => name.as_str(),
            Self::Deployment(DeployPurpose::Upgrade) => "deploy",
            Self::Deployment(DeployPurpose::Repair) => "repair",
            Self::Deployment(DeployPurpose::Rollback) => "rollback",
        }
    }
}

/// The details of a failure, for the user.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What failed.
    pub step: FailedStep,
    /// The commit.
    pub sha: CommitSha,
    /// The attempt; `None` for a deployment.
    pub attempt: Option<AttemptNumber>,
    /// The outcome of the attempt; `None` for a deployment.
    pub outcome: Option<Outcome>,
    /// The reason, as text.
    pub reason: String,
    /// The last lines of the log, as a terminal shows them.
    pub log: Vec<String>,
    /// Other phases that failed at the same time, each with its reason.
    pub also: Vec<(PhaseName, String)>,
    /// The commit that was deployed again; `None` if there was no rollback.
    pub rolled_back_to: Option<CommitSha>,
}

impl LinkResult {
    /// Whether it needs attention.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Refused { .. } => true,
            Self::Done { .. }
            | Self::Held { .. }
            | Self::Cancelled(_)
            | Self::Interrupted
            | Self::Overtaken { .. }
            | Self::KeptBack { .. } => false,
        }
    }
}

impl Summary {
    /// Adds the report of a link, or the error of its task.
    pub fn add(&mut self, done: Result<LinkReport, String>) {
        match done {
            Ok(report) => self.links.push(report),
            Err(error) => self.broken.push(error),
        }
    }

    /// Adds links for which the saved plan is out of date, each with the reason.
    pub fn refuse(&mut self, refused: Vec<LinkReport>) {
        self.out_of_date += refused.len();
        self.links.extend(refused);
        self.links.sort_by(|a, b| a.link.cmp(&b.link));
    }

    /// Counts the held links that have no report of their own.
    pub fn hold(&mut self, held: &[LinkId]) {
        let is_reported = |id: &&LinkId| self.links.iter().any(|report| report.link == **id);
        self.held = held.iter().filter(|id| !is_reported(id)).count();
    }

    /// Whether every step of every link was done, or is being done by another process.
    pub fn all_done(&self) -> bool {
        let done = |report: &LinkReport| {
            matches!(
                report.result,
                LinkResult::Done { .. } | LinkResult::Held { .. } | LinkResult::Overtaken { .. }
            )
        };
        !self.interrupted && self.broken.is_empty() && self.links.iter().all(done)
    }

    /// Whether the deployment of one of the links waits.
    pub fn is_waiting(&self) -> bool {
        self.links.iter().any(|report| matches!(report.result, LinkResult::Held { .. }))
    }

    /// Whether another process is handling one of the links.
    pub fn is_overtaken(&self) -> bool {
        self.links.iter().any(|report| matches!(report.result, LinkResult::Overtaken { .. }))
    }
}
