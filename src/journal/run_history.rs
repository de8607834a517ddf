//! The runs in a journal: every attempt and every deployment, not only the last, with when each started and ended. For
//! display only; no decision depends on it.

use jiff::Timestamp;

use crate::domain::{
    Actor, AttemptNumber, Cancellation, CommitSha, DeployOutcome, DeployPurpose, Event, Outcome, PhaseName,
    RecordedEvent, RequestKind, RunId, RunOutcome, RunReason, RunState, StartedTest, Token, removes,
};

/// One run, with everything recorded until the next one started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// Unique in its link.
    pub id: RunId,
    /// The commit it ran for.
    pub sha: CommitSha,
    /// Why it was started.
    pub reason: RunReason,
    /// Who it was started for.
    pub by: Actor,
    /// When it started.
    pub started: Timestamp,
    /// When and how it ended; `None` if it did not, or was reopened.
    pub ended: Option<(Timestamp, RunOutcome)>,
    /// Who last cancelled it, if anyone did.
    pub cancelled: Option<Cancellation>,
    /// Its phases, ascending by order.
    pub phases: Vec<PastPhase>,
    /// The deployments made in it, and after it until the next run started; oldest first.
    pub deployments: Vec<PastDeployment>,
    /// The granted test, if it is one.
    pub test: Option<Box<StartedTest>>,
}

/// One phase of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastPhase {
    /// Unique in its run.
    pub name: PhaseName,
    /// Whether it is the deployment.
    pub deployment: bool,
    /// The attempts at it, oldest first; their numbers count from 1.
    pub attempts: Vec<PastAttempt>,
}

/// One attempt at a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAttempt {
    /// From 1, per phase.
    pub number: AttemptNumber,
    /// The token it was made under.
    pub token: Token,
    /// The number of replicas.
    pub replicas: u32,
    /// When it was intended.
    pub started: Timestamp,
    /// When and how it ended, if it did.
    pub ended: Option<(Timestamp, Outcome)>,
    /// When a prune covered its blobs. Blobs written after that may still exist.
    pub pruned: Option<Timestamp>,
}

/// One deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDeployment {
    /// The token it was issued under.
    pub token: Token,
    /// Why it was made.
    pub purpose: DeployPurpose,
    /// The deployed commit.
    pub sha: CommitSha,
    /// When it was intended.
    pub started: Timestamp,
    /// When and how it ended, if it did.
    pub ended: Option<(Timestamp, DeployOutcome)>,
}

/// Collects the runs that start in a piece of a journal, event by event, oldest first.
#[derive(Clone, Debug, Default)]
pub struct PastRuns {
    runs: Vec<PastRun>,
}

impl PastRuns {
    /// Takes the next event. Events before the first run are ignored.
    pub fn take(&mut self, recorded: &RecordedEvent) {
        if let Event::Pruned { blobs_before, keeps, history: _ } = &recorded.event {
            self.runs.iter_mut().for_each(|run| run.prune(recorded.at, *blobs_before, keeps));
        } else if let Some(run) = begun(recorded) {
            self.runs.push(run);
        } else if let Some(run) = self.runs.last_mut() {
            run.take(recorded);
        }
    }

    /// The runs, oldest first. `current` is the run of the head that these events lead to, or of a later head: only it
    /// knows whether the run was reopened. All earlier runs are over for good, since no run starts while another is
    /// open.
    pub fn into_runs(mut self, current: Option<&RunState>) -> Vec<PastRun> {
        if let (Some(last), Some(current)) = (self.runs.last_mut(), current)
            && last.id == current.id
        {
            last.ended = current.ended;
        }
        self.runs
    }
}

fn begun(recorded: &RecordedEvent) -> Option<PastRun> {
    let Event::RunStarted { run, sha, reason, phases, workflow: _, test, authorization: _, saved_plan: _ } =
        &recorded.event
    else {
        return None;
    };
    let phase = |phase: &crate::domain::RunPhase| PastPhase {
        name: phase.name.clone(),
        deployment: phase.deployment,
        attempts: Vec::new(),
    };
    Some(PastRun {
        id: run.clone(),
        sha: sha.clone(),
        reason: *reason,
        by: recorded.by.clone(),
        started: recorded.at,
        ended: None,
        cancelled: None,
        phases: phases.iter().map(phase).collect(),
        deployments: Vec::new(),
        test: test.clone(),
    })
}

impl PastRun {
    /// The phase with this name.
    pub fn phase(&self, name: &PhaseName) -> Option<&PastPhase> {
        self.phases.iter().find(|phase| phase.name == *name)
    }

    fn take(&mut self, recorded: &RecordedEvent) {
        let at = recorded.at;
        match &recorded.event {
            Event::AttemptIntended { phase, attempt, token, replicas, fleet: _, saved_plan: _ } => {
                let attempt = PastAttempt {
                    number: *attempt,
                    token: token.clone(),
                    replicas: *replicas,
                    started: at,
                    ended: None,
                    pruned: None,
                };
                self.attempts(phase, |attempts| attempts.push(attempt));
            }
            Event::AttemptEnded { phase, attempt, outcome } => {
                self.attempts(phase, |attempts| {
                    if let Some(ended) = attempts.iter_mut().find(|past| past.number == *attempt) {
                        ended.ended = Some((at, outcome.clone()));
                    }
                });
            }
            Event::DeployIntended {
                token,
                purpose,
                sha,
                images: _,
                barrier: _,
                authorization: _,
                saved_plan: _,
            } => {
                self.deployments.push(PastDeployment {
                    token: token.clone(),
                    purpose: *purpose,
                    sha: sha.clone(),
                    started: at,
                    ended: None,
                });
            }
            Event::DeployEnded { token, outcome, revision: _ } => {
                if let Some(past) = self.deployments.iter_mut().rfind(|past| past.token == *token) {
                    past.ended = Some((at, outcome.clone()));
                }
            }
            Event::RunEnded { run: _, outcome, because } => {
                self.ended = Some((at, *outcome));
                if let Some(because) = because {
                    self.cancelled = Some(Cancellation::by_katkit(because));
                }
            }
            Event::Requested { ask, from, why }
                if matches!(ask, RequestKind::Cancel { .. })
                    || matches!(ask, RequestKind::Rollback { .. }) && self.ended.is_none() =>
            {
                self.cancelled = Some(Cancellation { by: from.clone(), why: why.clone() });
            }
            Event::Requested { .. }
            | Event::PhaseSkipped { .. }
            | Event::PhaseRestored { .. }
            | Event::Refused { .. }
            | Event::Withdrawn { .. }
            | Event::Verified { .. }
            | Event::TakenOver { .. }
            | Event::Unlocked { .. }
            | Event::RunStarted { .. }
            | Event::AttemptLaunched { .. }
            | Event::ServiceRemoved { .. }
            | Event::ServiceSwept { .. }
            | Event::ImagesRecorded { .. }
            | Event::DeployIssued { .. }
            | Event::Adopted { .. }
            | Event::Quarantined { .. }
            | Event::Forgotten
            | Event::MovedFrom { .. }
            | Event::MovedTo { .. }
            | Event::Pruned { .. } => {}
        }
    }

    /// Marks attempts whose blobs were pruned. When they were written is not known here, but it was after the attempt
    /// started.
    fn prune(&mut self, at: Timestamp, before: Timestamp, keeps: &[CommitSha]) {
        for attempt in self.phases.iter_mut().flat_map(|phase| &mut phase.attempts) {
            if attempt.pruned.is_none() && removes(before, keeps, &self.sha, attempt.started) {
                attempt.pruned = Some(at);
            }
        }
    }

    fn attempts(&mut self, name: &PhaseName, change: impl FnOnce(&mut Vec<PastAttempt>)) {
        if let Some(phase) = self.phases.iter_mut().find(|phase| phase.name == *name) {
            change(&mut phase.attempts);
        }
    }
}
