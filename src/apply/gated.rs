//! A deployment that was planned, and that its policy no longer allows when it is about to begin.

use super::ApplyError;
use super::limit;
use super::link_executor::LinkExecutor;
use crate::domain::{DeployPurpose, Head, PhaseState, PhaseStatus};
use crate::plan::{ClosedGate, HoldScope, Step};
use crate::report::LinkResult;

impl LinkExecutor<'_> {
    /// The result of the link if the phases in `group` contain a deployment that has not begun and now must wait. The
    /// run stays open, and a later apply resumes it.
    pub(super) async fn held_since_planned(self, group: &[Step]) -> Result<Option<LinkResult>, ApplyError> {
        if !limit::deploys(group) {
            return Ok(None);
        }
        let Some(gate) = self.closed_gate(DeployPurpose::Upgrade) else { return Ok(None) };
        let mut record = self.record.lock().await;
        let waits = |phase: &&PhaseState| phase.deployment && phase.status == PhaseStatus::Pending;
        let waiting = record.head().open_run().and_then(|run| run.phases.iter().find(waits));
        let Some(name) = waiting.map(|phase| phase.name.clone()) else { return Ok(None) };
        record.flush().await?;
        Ok(Some(self.held(&gate, &HoldScope::Phase { name }, record.head())))
    }

    /// The same for a repair that has not begun.
    pub(super) async fn held_repair(self) -> Option<LinkResult> {
        let gate = self.closed_gate(DeployPurpose::Repair).filter(|_| !self.stop.is_set())?;
        let record = self.record.lock().await;
        Some(self.held(&gate, &HoldScope::Repair, record.head()))
    }

    fn closed_gate(self, purpose: DeployPurpose) -> Option<ClosedGate> {
        self.session.gate_at(&self.plan.link, purpose, self.session.estate().clock.now())
    }

    fn held(self, gate: &ClosedGate, scope: &HoldScope, head: &Head) -> LinkResult {
        let deployed = head.deployed.as_ref().map(|deployed| deployed.sha.clone());
        let holds = gate.holds(&self.plan.link, scope);
        let reason = holds.first().map(crate::plan::Hold::describe).unwrap_or_default();
        LinkResult::Held { deployed, reason, hint: holds.into_iter().next().and_then(|hold| hold.hint) }
    }
}
