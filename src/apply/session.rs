//! A session: an actor's use of the executor, with its progress and its interruption.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Executor, FailureLimit, Listener};
use crate::domain::{Actor, Consent, DeployPurpose, PlanDigest};
use crate::estate::Estate;
use crate::plan::{self, ClosedGate, LinkPlan, PendingDeployment};
use crate::policy::Reviews;
use crate::report::{LinkReport, Progress};

/// On whose behalf plans are carried out, who hears of the progress, and what stops it.
///
/// Sessions of several actors may use one executor at the same time.
#[derive(Debug)]
pub struct Session {
    /// What carries out the plans.
    pub executor: Arc<Executor>,
    /// The actor named in recorded events.
    pub actor: Actor,
    /// Receives progress events.
    pub listener: Arc<dyn Listener>,
    /// Once cancelled, running phases are stopped and nothing more starts. A deployment that was issued continues.
    pub interrupt: CancellationToken,
    /// The digest of the saved plan, for the record; `None` if the plan was not saved.
    pub saved_plan: Option<PlanDigest>,
    /// Stops new deployments after too many failures.
    pub failure_limit: FailureLimit,
}

impl Session {
    /// Tells the listener that a link is finished, and returns the report.
    pub(super) fn report_end(&self, report: LinkReport) -> LinkReport {
        let failed = report.result.is_failure();
        self.listener.hear(&Progress::LinkEnded { link: report.link.clone(), failed });
        report
    }

    /// What a planned deployment would wait for at this time, with this record of its link and these consents.
    pub(super) fn gate_at(
        &self,
        plan: &LinkPlan,
        (purpose, upgrades): (DeployPurpose, &[Timestamp]),
        (consents, at): (&[Consent], Timestamp),
    ) -> Option<ClosedGate> {
        let (manifest, link) = (self.estate().manifest(), &plan.link);
        let (sha, unattended) = (plan.want.as_ref(), !self.actor.is_person());
        let pending = PendingDeployment { link, purpose, sha, upgrades, now: at, unattended };
        let gate = plan::gate(manifest, consents, pending);
        let lacking = || plan.lacking(manifest, (consents, &Reviews::among(consents.iter().cloned())), at);
        let lacking = (purpose == DeployPurpose::Upgrade).then(lacking).flatten();
        ClosedGate::and_lacking(gate, lacking)
    }

    pub(super) fn estate(&self) -> &Estate {
        &self.executor.estate
    }
}
