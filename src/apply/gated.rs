//! A deployment that was planned, and that its policy no longer allows when it is about to begin.

use super::ApplyError;
use super::limit;
use super::link_executor::LinkExecutor;
use super::record::Record;
use crate::domain::{Consent, DeployPurpose, Head, PhaseState, PhaseStatus};
use crate::plan::{ClosedGate, HoldScope, Step};
use crate::report::LinkResult;

impl LinkExecutor<'_> {
    /// The result of the link if the phases in `group` contain a deployment that must wait now. The run stays open, and
    /// a later apply resumes it.
    pub(super) async fn held_before(self, group: &[Step]) -> Result<Option<LinkResult>, ApplyError> {
        if !limit::deploys(group) {
            return Ok(None);
        }
        let consents = self.consents().await?;
        if let Some(held) = self.overtaken(&consents).await? {
            return Ok(Some(held));
        }
        if self.closed_gate(DeployPurpose::Upgrade, &consents, self.record.lock().await.head()).is_some() {
            return self.held_after(group).await;
        }
        match &self.plan.want {
            Some(sha) => self.withdrawn(sha).await,
            None => Ok(None),
        }
    }

    /// The same after `group` ran, if its deployment did not begin: even if the gate has opened since, the phases after
    /// it must not run.
    pub(super) async fn held_after(self, group: &[Step]) -> Result<Option<LinkResult>, ApplyError> {
        if !limit::deploys(group) || self.stop.is_set() {
            return Ok(None);
        }
        let mut record = self.record.lock().await;
        let waits = |phase: &&PhaseState| phase.deployment && phase.status == PhaseStatus::Pending;
        let waiting = record.head().open_run().and_then(|run| run.phases.iter().find(waits));
        let Some(name) = waiting.map(|phase| phase.name.clone()) else { return Ok(None) };
        record.flush().await?;
        let consents = self.consents_of(&record).await?;
        let gate = self.closed_gate(DeployPurpose::Upgrade, &consents, record.head());
        let held = self.held(gate, &HoldScope::Phase { name }, record.head());
        drop(record);
        Ok(Some(self.overtaken(&consents).await?.unwrap_or(held)))
    }

    /// The result of the link if its repair did not begin.
    pub(super) async fn held_repair(self) -> Result<Option<LinkResult>, ApplyError> {
        if self.stop.is_set() {
            return Ok(None);
        }
        let consents = self.consents().await?;
        let record = self.record.lock().await;
        let gate = self.closed_gate(DeployPurpose::Repair, &consents, record.head());
        Ok(Some(self.held(gate, &HoldScope::Repair, record.head())))
    }

    /// What decides about the link: the consents that stand, and the evidence for its commits.
    pub(super) async fn consents(self) -> Result<Vec<Consent>, ApplyError> {
        let consents = self.session.estate().state.consents_with_evidence(&self.plan.reviewed).await?;
        Ok(self.record.lock().await.renamed(consents.standing))
    }

    /// The same with the record of the link at hand.
    pub(super) async fn consents_of(self, record: &Record) -> Result<Vec<Consent>, ApplyError> {
        let consents = self.session.estate().state.consents_with_evidence(&self.plan.reviewed).await?;
        Ok(record.renamed(consents.standing))
    }

    fn closed_gate(self, purpose: DeployPurpose, consents: &[Consent], head: &Head) -> Option<ClosedGate> {
        let (session, now) = (self.session, self.session.estate().clock.now());
        session.gate_at(self.plan, (purpose, head.settled_upgrades()), (consents, now))
    }

    pub(super) fn held(self, gate: Option<ClosedGate>, scope: &HoldScope, head: &Head) -> LinkResult {
        let link = &self.plan.link;
        let deployed = head.deployed.as_ref().map(|deployed| deployed.sha.clone());
        let hold = gate.and_then(|gate| gate.holds(link, scope).into_iter().next());
        match hold {
            Some(hold) => LinkResult::Held { deployed, reason: hold.describe(), hint: hold.hint },
            None => LinkResult::Held {
                deployed,
                reason: "its policy did not allow the deployment when it was about to begin".to_owned(),
                hint: Some(format!("`katkit apply {link}` deploys it now")),
            },
        }
    }
}
