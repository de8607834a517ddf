//! Decides whether a link has reached the goal of `katkit wait`.

use super::{Hold, HoldScope, LinkInput, LinkPlan, Problem, Step};
use crate::domain::{CommitSha, DeployPurpose, Head, PhaseStatus, RunOutcome};
use crate::plan::Holder;

/// The goal of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The wanted commit is deployed, and none of its later phases failed.
    Live,
    /// The wanted commit is verified: every phase of its run succeeded.
    Verified,
    /// A commit whose sha begins with these digits is deployed, wanted or not.
    Commit(String),
}

/// The progress of a link towards a [`Goal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has reached the goal with this commit; `None` if its workflow deploys nothing.
    Arrived(Option<CommitSha>),
    /// The deployed commit contains the named commit.
    Contained {
        /// The deployed commit.
        live: CommitSha,
        /// The named commit.
        commit: CommitSha,
    },
    /// It may still reach the goal without user action: a lowercase fragment that says what is happening.
    OnTheWay(String),
    /// It needs user action, for the reason in the plan.
    Held(Hold),
    /// It needs user action, for a reason that matters only to this wait.
    Stopped(Problem),
}

/// Decides the progress of a link. `planned` is its part of the plan; `None` if the plan does not mention it.
pub fn arrival(input: &LinkInput, planned: Option<&LinkPlan>, goal: &Goal) -> Arrival {
    let head = &input.head;
    let want = input.want.as_ref().and_then(|want| want.as_ref().ok());
    let live = head.deployed.as_ref().map(|deployed| &deployed.sha);
    let holds = planned.map_or(&[][..], |planned| &planned.holds);
    if let Some(drift) = planned.and_then(drift)
        && (holds.iter().all(Hold::is_at_gate) || matches!(goal, Goal::Commit(_)))
    {
        return drift;
    }
    if let Goal::Commit(digits) = goal {
        return match live.filter(|live| live.as_str().starts_with(digits)) {
            Some(live) => Arrival::Arrived(Some(live.clone())),
            None => {
                let is_wanted = want.is_some_and(|want| want.as_str().starts_with(digits));
                let hold = match planned {
                    Some(planned) if is_wanted => lasting(planned).map(Arrival::Held),
                    _ => by_commit(head, digits),
                };
                hold.unwrap_or_else(|| on_the_way(input, planned))
            }
        };
    }
    if let Some(hold) = planned.and_then(lasting) {
        return Arrival::Held(hold);
    }
    let is_done = planned.is_none_or(|planned| planned.steps.is_empty()) && holds.is_empty();
    let is_live = want.is_some() && live == want && head.deploying.is_none();
    // The evidence remains while a phase is retried.
    let is_tried_again = head
        .run
        .as_ref()
        .is_some_and(|run| Some(&run.sha) == want && (run.ended.is_none() || run.goes_on_with.is_some()));
    let runs = |step: &Step| matches!(step, Step::StartRun { .. } | Step::Run { .. });
    let is_tried_again = is_tried_again || planned.is_some_and(|planned| planned.steps.iter().any(runs));
    let is_verified = want.is_some_and(|want| head.evidence(want).is_some()) && !is_tried_again;
    match goal {
        Goal::Verified if is_verified && (is_live || is_done) => Arrival::Arrived(live.cloned()),
        Goal::Verified if is_done => Arrival::Stopped(unverified(input, want)),
        Goal::Live if is_live || is_done => Arrival::Arrived(live.cloned()),
        _ => on_the_way(input, planned),
    }
}

/// What keeps a planned link from being done, apart from steps that say so themselves: a hold, drift, or a closed gate.
pub fn obstacle(planned: &LinkPlan) -> Option<Arrival> {
    let waits = || at_gate(planned).filter(|_| planned.steps.is_empty());
    lasting(planned).map(Arrival::Held).or_else(|| drift(planned)).or_else(waits)
}

/// Whether the plan repairs drift, or holds the repair.
pub fn is_repair(planned: &LinkPlan) -> bool {
    drift(planned).is_some()
}

fn drift(planned: &LinkPlan) -> Option<Arrival> {
    const DRIFT: &str = "what is running is not what was deployed";
    let repairs =
        |step: &Step| matches!(step, Step::Deploy(deploy) if deploy.purpose == DeployPurpose::Repair);
    if planned.steps.iter().any(repairs) {
        return Some(Arrival::OnTheWay(format!("{DRIFT}; `katkit plan` shows the difference")));
    }
    let held = planned.holds.iter().find(|hold| hold.scope == HoldScope::Repair)?;
    Some(Arrival::OnTheWay(format!("{DRIFT}; {}", held.describe())))
}

fn at_gate(planned: &LinkPlan) -> Option<Arrival> {
    let hold = planned.holds.iter().find(|hold| hold.is_at_gate())?;
    Some(Arrival::OnTheWay(hold.describe()))
}

impl Arrival {
    /// Whether it has reached the goal.
    pub fn is_there(&self) -> bool {
        matches!(self, Self::Arrived(_) | Self::Contained { .. })
    }

    /// Whether a held link may still reach the goal: an error may be temporary.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Held(hold) if hold.reason.is_error())
    }
}

/// The first hold that lasts until someone acts.
pub fn lasting(planned: &LinkPlan) -> Option<Hold> {
    planned.holds.iter().find(|hold| hold.needs_action()).cloned()
}

/// Why the named commit will not be deployed without user action.
fn by_commit(head: &Head, digits: &str) -> Option<Arrival> {
    let is_meant = |sha: &CommitSha| sha.as_str().starts_with(digits);
    let held = |what: String| {
        let hint = Some("`katkit why` shows details".to_owned());
        Some(Arrival::Stopped(Problem { what, hint }))
    };
    if let Some(quarantine) = head.quarantined.iter().find(|quarantine| is_meant(&quarantine.sha)) {
        return held(format!("{} is quarantined: {}", quarantine.sha.short(), quarantine.why));
    }
    let run = head.run.as_ref().filter(|run| is_meant(&run.sha))?;
    match run.ended? {
        (_, RunOutcome::Failed) => held(format!("the run for {} failed", run.sha.short())),
        (_, RunOutcome::Cancelled) => {
            let by = run.cancelled.as_ref().map(|it| format!(" {}", it.describe())).unwrap_or_default();
            held(format!("the run for {} was cancelled{by}", run.sha.short()))
        }
        (_, RunOutcome::Succeeded | RunOutcome::Superseded) => None,
    }
}

/// The problem that nothing is left to do although the commit is not verified.
fn unverified(input: &LinkInput, want: Option<&CommitSha>) -> Problem {
    let what = match want {
        Some(want) => {
            format!("{} is not verified, and its run has ended: a phase was skipped", want.short())
        }
        None => "no commit is wanted here".to_owned(),
    };
    let hint = want.map(|_| format!("run the skipped phase: `katkit retry {} --phase PHASE`", input.id));
    Problem { what, hint }
}

fn on_the_way(input: &LinkInput, planned: Option<&LinkPlan>) -> Arrival {
    // Nothing runs until the gate opens.
    if let Some(waits) = planned.filter(|planned| planned.steps.is_empty()).and_then(at_gate) {
        return waits;
    }
    let running = input.head.open_run().and_then(|run| {
        let phase = run.phases.iter().find(|phase| phase.status == PhaseStatus::Running)?;
        Some(format!("`{}` is running for {}", phase.name, run.sha.short()))
    });
    let deploying = input.head.deploying.as_ref().map(|it| format!("{} is being deployed", it.sha.short()));
    Arrival::OnTheWay(match &input.holder {
        Holder::Other(owner) => running.or(deploying).unwrap_or_else(|| format!("{owner} is working on it")),
        Holder::Dead(_) | Holder::Nobody => "no process is working on it".to_owned(),
    })
}
