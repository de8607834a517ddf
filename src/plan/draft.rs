//! The unfinished plan of one link.

use jiff::Timestamp;

use super::input::{LinkInput, Problem};
use super::{ClosedGate, DeployStep, Gates, Hold, HoldReason, HoldScope, LinkPlan, Step};
use crate::domain::{Actor, Consent, DeployPurpose, Event, Generation, Head, RecordedEvent};
use crate::journal;
use crate::manifest::Manifest;

/// An unfinished plan: the decisions so far, and the head as it will be once they are executed.
pub(super) struct PlanDraft<'a> {
    pub(super) input: &'a LinkInput,
    pub(super) manifest: &'a Manifest,
    /// What the policies and freezes by hand hold back at this time.
    pub(super) gates: &'a Gates,
    /// The consents that stand.
    pub(super) consents: &'a [Consent],
    /// What holds the deployment of the wanted commit: these gates, and the reviews or approvals that it lacks.
    pub(super) upgrade_gate: Option<ClosedGate>,
    /// Whether the run for the wanted commit lacks reviews or approvals.
    pub(super) holds_run: bool,
    /// The time of the events that the plan assumes. It changes nothing that is planned.
    pub(super) now: Timestamp,
    pub(super) head: Head,
    pub(super) plan: LinkPlan,
    /// Why no run for the wanted commit can be planned. Everything else still is: recovery, repairs, rollbacks and most
    /// requests.
    pub(super) broken: Option<Problem>,
}

impl PlanDraft<'_> {
    pub(super) fn step(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    /// The gate at which deployments for this purpose wait, if it is closed.
    pub(super) fn closed_gate(&self, purpose: DeployPurpose) -> Option<&ClosedGate> {
        match purpose {
            DeployPurpose::Upgrade => self.upgrade_gate.as_ref(),
            _ => self.gates.closed(self.manifest, &self.input.id, purpose),
        }
    }

    /// Plans the deployment of a run or a repair, or holds it at a closed gate. Rollbacks do not come this way.
    pub(super) fn deploy(&mut self, step: DeployStep) {
        let scope = step.phase.clone().map_or(HoldScope::Repair, |name| HoldScope::Phase { name });
        match self.closed_gate(step.purpose) {
            None => self.step(Step::Deploy(Box::new(step))),
            Some(gate) => {
                let holds = gate.holds(&self.input.id, &scope);
                self.plan.holds.extend(holds);
            }
        }
    }

    /// Holds `scope` for everything that holds the deployment of the wanted commit.
    pub(super) fn hold_at_gate(&mut self, scope: &HoldScope) {
        let holds = self.upgrade_gate.iter().flat_map(|gate| gate.holds(&self.input.id, scope));
        self.plan.holds.extend(holds);
    }

    pub(super) fn hold(&mut self, reason: HoldReason, hint: impl Into<Option<String>>) {
        self.plan.holds.push(Hold { scope: HoldScope::Link, reason, hint: hint.into(), until: None });
    }

    pub(super) fn unavailable(&mut self, problem: &Problem) {
        self.plan.holds.push(problem.clone().into());
    }

    /// Applies `event` to the head; fails with the reason if that is illegal.
    pub(super) fn project(&mut self, event: Event) -> Result<(), String> {
        let recorded = RecordedEvent {
            generation: Generation(self.head.generation.0 + 1),
            at: self.now,
            by: Actor::nobody(),
            event,
            previous: None,
        };
        self.head = journal::step(&self.head, &recorded).map_err(|illegal| illegal.why)?;
        Ok(())
    }
}
