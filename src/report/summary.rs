//! What became of each link, for the summary at the end.

use crate::domain::{AttemptNumber, Cancellation, CommitSha, LinkId, Outcome};

/// What became of a whole plan.
#[derive(Debug, Default)]
pub struct Summary {
    /// In the order of the ids.
    pub links: Vec<LinkReport>,
    /// How many services were removed that nobody owned.
    pub swept: usize,
    /// Whether a person stopped it.
    pub interrupted: bool,
    /// How many other links a person has to look at: those that the plan holds.
    pub held: usize,
    /// How many of the links were refused because a saved plan is out of date for them.
    pub out_of_date: usize,
    /// What should never happen: tasks of katkit's own that died.
    pub broken: Vec<String>,
}

/// What became of one link.
#[derive(Clone, Debug)]
pub struct LinkReport {
    /// Which.
    pub link: LinkId,
    /// What.
    pub result: LinkResult,
}

/// What became of one link.
#[derive(Clone, Debug)]
pub enum LinkResult {
    /// Every step was done.
    Done {
        /// What the steps left deployed.
        deployed: Option<CommitSha>,
    },
    /// A phase or the deployment failed.
    Failed(Box<Failure>),
    /// A person asked for the run to end.
    Cancelled(Cancellation),
    /// Ctrl-C.
    Interrupted,
    /// Another process got to the link first, after the plan was made: the work is its own now.
    Overtaken {
        /// What is known of it.
        by: String,
    },
    /// Its deployment did not begin, because too many others failed.
    KeptBack {
        /// The links whose deployments failed.
        after: Vec<LinkId>,
    },
    /// The steps could not be carried out.
    Refused {
        /// Why, with its causes.
        error: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// What a person needs to know of a failure.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which phase; `repair` or `rollback` for a deployment outside of a run.
    pub phase: String,
    /// For which sha.
    pub sha: CommitSha,
    /// Which attempt, where it was one.
    pub attempt: Option<AttemptNumber>,
    /// How an attempt ended.
    pub outcome: Option<Outcome>,
    /// Why, in words.
    pub reason: String,
    /// The last lines of the log, as a terminal shows them.
    pub log: Vec<String>,
    /// What else failed at the same time: phases, each with its reason.
    pub also: Vec<(String, String)>,
    /// What was deployed again, where the workflow says so.
    pub rolled_back_to: Option<CommitSha>,
}

impl LinkResult {
    /// Whether a person has to look at it.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Refused { .. } => true,
            Self::Done { .. }
            | Self::Cancelled(_)
            | Self::Interrupted
            | Self::Overtaken { .. }
            | Self::KeptBack { .. } => false,
        }
    }
}

impl Summary {
    /// Takes what became of one more link, or of the task that worked on it.
    pub fn add(&mut self, done: Result<LinkReport, String>) {
        match done {
            Ok(report) => self.links.push(report),
            Err(error) => self.broken.push(error),
        }
    }

    /// Adds the links that a saved plan is out of date for, each with the reason.
    pub fn refuse(&mut self, refused: Vec<LinkReport>) {
        self.out_of_date += refused.len();
        self.links.extend(refused);
        self.links.sort_by(|a, b| a.link.cmp(&b.link));
    }

    /// Counts the held links that have no report of their own.
    pub fn hold(&mut self, held: &[LinkId]) {
        let is_told = |id: &&LinkId| self.links.iter().any(|report| report.link == **id);
        self.held = held.iter().filter(|id| !is_told(id)).count();
    }

    /// Whether every step of every link was done, or is being done by another process.
    pub fn all_done(&self) -> bool {
        let done = |report: &LinkReport| {
            matches!(report.result, LinkResult::Done { .. } | LinkResult::Overtaken { .. })
        };
        !self.interrupted && self.broken.is_empty() && self.links.iter().all(done)
    }

    /// Whether another process got to one of the links first.
    pub fn is_overtaken(&self) -> bool {
        self.links.iter().any(|report| matches!(report.result, LinkResult::Overtaken { .. }))
    }
}
