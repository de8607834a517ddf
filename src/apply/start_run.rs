//! The start of a run.

use jiff::Timestamp;

use super::ApplyError;
use super::link_executor::LinkExecutor;
use crate::domain::{Consent, Event, Generation, RunId};
use crate::plan::{ClosedGate, HoldScope, Step};
use crate::policy::{Gated, Reviews};
use crate::report::{LinkResult, Progress};

impl LinkExecutor<'_> {
    /// Stages the start of a run. Returns the link's result if its commit must no longer run.
    pub(super) async fn start_run(self, step: &Step) -> Result<Option<LinkResult>, ApplyError> {
        let Step::StartRun { sha, reason, phases, workflow, test, grants } = step else { return Ok(None) };
        if let Some(held) = self.withdrawn(sha).await? {
            return Ok(Some(held));
        }
        let manifest = self.session.estate().manifest();
        // Where nobody approves and nothing travels on, a rejection is rare: the deployment is conditional, the start is
        // not.
        let is_conditional = self.plan.approval.is_some()
            || !self.plan.reviewed.is_empty()
            || manifest.pipeline_of(&self.plan.link).is_some();
        let mut authorization = None;
        if !is_conditional {
            let (consents, now) = (self.consents().await?, self.session.estate().clock.now());
            if let Some(held) = self.overtaken(&consents).await? {
                return Ok(Some(held));
            }
            authorization = self.plan.authorization(manifest, (&consents, now), Gated::Run);
        }
        let mut record = self.record.lock().await;
        let next = Generation(record.head().generation.0 + 1);
        let run = RunId::begun(next, &self.session.executor.owner);
        let event = |authorization| Event::RunStarted {
            run: run.clone(),
            sha: sha.clone(),
            reason: *reason,
            phases: phases.clone(),
            workflow: workflow.clone(),
            test: test.clone(),
            authorization,
            saved_plan: self.session.saved_plan.clone(),
        };
        let (link, request) = (self.plan.link.clone(), grants.as_ref().map(|request| request.id.clone()));
        if is_conditional {
            let start = |at, consents: &[Consent]| {
                let may_start =
                    self.lacking(consents, at).is_none() && self.plan.still_allowed(manifest, consents, at);
                may_start.then(|| event(self.plan.authorization(manifest, (consents, at), Gated::Run)))
            };
            if !record.record_if(request.as_ref(), &self.plan.reviewed, start).await? {
                record.flush().await?;
                let consents = self.consents_of(&record).await?;
                let gate = self.lacking(&consents, self.session.estate().clock.now());
                let held = self.held(gate, &HoldScope::Link, record.head());
                drop(record);
                return Ok(Some(self.overtaken(&consents).await?.unwrap_or(held)));
            }
        } else {
            record.stage(event(authorization))?;
            if let Some(request) = request {
                record.consume(request);
            }
        }
        drop(record);
        self.session.listener.hear(&Progress::RunStarted { link, sha: sha.clone() });
        Ok(None)
    }

    /// The reviews or approvals that the run lacks, although it had them when it was planned.
    fn lacking(self, consents: &[Consent], now: Timestamp) -> Option<ClosedGate> {
        let (manifest, reviews) =
            (self.session.estate().manifest(), Reviews::among(consents.iter().cloned()));
        let lacking = self.plan.lacking(manifest, (consents, &reviews), now);
        ClosedGate::and_lacking(None, lacking.filter(|lacking| lacking.holds_run))
    }
}
