//! The steps of one link, in order.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::attempt::PhaseRun;
use super::deploy::Settled;
use super::record::Record;
use super::removal::{find_by_token, remove_all};
use super::stop::{Stop, Why};
use super::{ApplyError, Executor, deploy, failure, limit, moved};
use crate::domain::{
    Ask, AttemptNumber, AttemptState, Cancellation, DeployPurpose, Epoch, Event, Generation, Outcome, Phase,
    PhaseKind, PhaseName, PhaseState, PhaseStatus, RunId, RunOutcome, RunState,
};
use crate::plan::{DeployStep, LinkPlan, Step};
use crate::report::{LinkResult, Progress};

/// A walk through the steps of one link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    pub(super) executor: &'a Arc<Executor>,
    pub(super) plan: &'a LinkPlan,
    pub(super) record: &'a Arc<Mutex<Record>>,
    pub(super) stop: &'a Stop,
    pub(super) epoch: Epoch,
}

impl Walk<'_> {
    pub(super) async fn walk(self) -> Result<LinkResult, ApplyError> {
        let mut steps = self.plan.steps.as_slice();
        while let [step, rest @ ..] = steps {
            if self.stop.is_set() {
                return self.stopped().await;
            }
            let together =
                steps.iter().take_while(|other| order(other).is_some() && order(other) == order(step));
            let (group, after) = steps.split_at(together.count());
            steps = if group.is_empty() {
                if let Some(result) = self.step(step, rest).await? {
                    return Ok(result);
                }
                rest
            } else {
                let failed = self.executor.failure_limit.keeps_back(&self.plan.link);
                if limit::deploys(group) && !failed.is_empty() {
                    // The run stays open, and a later apply goes on with it.
                    self.record.lock().await.flush().await?;
                    return Ok(LinkResult::KeptBack { after: failed });
                }
                self.phases(group).await?;
                after
            };
            if self.stop.is_set() && !(steps.is_empty() && self.is_complete().await) {
                return self.stopped().await;
            }
            if let Some(failed) = self.failed(group).await {
                return failure::close(self, failed).await;
            }
        }
        self.finish().await
    }

    /// A step that is not a phase of the run, before `rest`. What needs no effect is staged, and written with what comes
    /// next. Returns how the walk ends, where it ends here.
    async fn step(self, step: &Step, rest: &[Step]) -> Result<Option<LinkResult>, ApplyError> {
        let link = &self.plan.link;
        let mut record = self.record.lock().await;
        let done = match step {
            Step::Accept { request } => {
                record.stage(Event::Requested {
                    ask: request.ask.clone(),
                    from: request.by.clone(),
                    why: request.why.clone(),
                })?;
                record.consume(request.id.clone());
                return Ok(None);
            }
            Step::Refuse { request, why } => {
                record.stage(Event::Refused {
                    ask: request.ask.clone(),
                    from: request.by.clone(),
                    why: request.why.clone(),
                    because: why.clone(),
                })?;
                record.consume(request.id.clone());
                format!("refused the {} that {} asked for: {why}", request.ask.word(), request.by)
            }
            Step::Withdraw { request, by } => {
                record.stage(Event::Withdrawn {
                    ask: request.ask.clone(),
                    from: request.by.clone(),
                    withdrawn_by: by.by.clone(),
                    why: by.why.clone(),
                })?;
                record.consume(request.id.clone());
                record.consume(by.id.clone());
                format!("dropped the {} of {}, which {} withdrew", request.ask.word(), request.by, by.by)
            }
            Step::Recover { phase, attempt } => {
                drop(record);
                self.recover(phase, *attempt).await?;
                format!("removed what was left of attempt {attempt} at `{phase}`")
            }
            Step::Settle { sha } => {
                let settled = deploy::settle(self.executor, &mut record, self.stop, link).await?;
                drop(record);
                if let Some(failed) =
                    settled.filter(|settled| settled.failed() && settled.is_planned_in(rest))
                {
                    return self.failed_while_nobody_watched(failed).await.map(Some);
                }
                format!("found out how the deployment of {} ended", sha.short())
            }
            // Taking it over was all; it is given back when this walk is over.
            Step::Free { owner } => format!("gave back the lease of {owner}, which is gone"),
            Step::EndRun { run, sha, outcome } => {
                // One that this walk began, with nothing in it to do, has got its name since it was planned.
                let open = record.head().open_run().filter(|open| open.sha == *sha);
                let run = open.map_or(run, |open| &open.id).clone();
                record.end_run(run, *outcome)?;
                return Ok(None);
            }
            Step::StartRun { sha, reason, phases, workflow } => {
                let next = Generation(record.head().generation.0 + 1);
                let run = RunId::begun(next, &self.executor.owner);
                record.stage(Event::RunStarted {
                    run,
                    sha: sha.clone(),
                    reason: *reason,
                    phases: phases.clone(),
                    workflow: workflow.clone(),
                    saved_plan: self.executor.saved_plan.clone(),
                })?;
                self.executor.listener.hear(&Progress::RunStarted { link: link.clone(), sha: sha.clone() });
                return Ok(None);
            }
            Step::Skip { phase, sha: _ } => {
                record.stage(Event::PhaseSkipped { phase: phase.clone() })?;
                format!("`{phase}` is skipped, as the manifest says")
            }
            Step::Restore { phase, sha: _ } => {
                record.stage(Event::PhaseRestored { phase: phase.clone() })?;
                format!("`{phase}` is not skipped by the manifest any more")
            }
            Step::Deploy(step) => {
                record.flush().await?;
                drop(record);
                let outcome = deploy::deploy(self.executor, self.record, self.stop, link, step).await?;
                let Some(outcome) = outcome else { return Ok(None) };
                let failed = failure::of_deployment(step.purpose, &step.to, &outcome);
                return Ok(failed.map(|failed| LinkResult::Failed(Box::new(failed))));
            }
            Step::Adopt { sha, images, revision } => {
                let (images, revision) = (images.clone(), revision.clone());
                record.record(Event::Adopted { sha: sha.clone(), images, revision }).await?;
                format!("adopted {}, which runs already", sha.short())
            }
            Step::Quarantine { sha, why, good, alone } => {
                let said = format!("quarantined {}: {why}", sha.short());
                let (sha, why, good) = (sha.clone(), why.clone(), good.clone());
                record.stage(Event::Quarantined { sha, why, good, alone: *alone })?;
                said
            }
            Step::Forget => {
                record.record(Event::Forgotten).await?;
                "forgotten; what runs was left alone".to_owned()
            }
            Step::Move { from, base, takes_over } => {
                moved::take_in(self, &mut record, from, *base, takes_over.as_ref()).await?;
                format!("`{from}` is `{link}` now: what is recorded of it goes on here")
            }
            Step::Run { .. } => return Ok(None),
        };
        self.executor.listener.hear(&Progress::Done { link: link.clone(), what: done });
        Ok(None)
    }

    /// The deployment that was in flight turned out to have failed. The plan was made as if it had been lost, and would
    /// issue it again; but it had its chance, and what is done about that is for a person or for the next plan.
    async fn failed_while_nobody_watched(self, settled: Settled) -> Result<LinkResult, ApplyError> {
        let Settled { purpose, sha, outcome } = settled;
        let of_run = {
            let record = self.record.lock().await;
            let run = record.head().open_run().filter(|_| purpose == DeployPurpose::Upgrade);
            let phase = run.and_then(|run| run.phases.iter().find(|phase| phase.deployment));
            phase.map(|phase| phase.name.clone())
        };
        if let Some(phase) = of_run {
            return failure::close(self, phase).await;
        }
        let failed = failure::of_deployment(purpose, &sha, &outcome);
        Ok(failed.map_or(LinkResult::Done { deployed: None }, |failed| LinkResult::Failed(Box::new(failed))))
    }

    /// Phases of one order, at the same time. All of them come to their end, whatever becomes of the others.
    ///
    /// Each is a task of its own. As a future that is only polled here it would stand still while this one waits for the
    /// record, perhaps with the record's lock in its hands: then both would wait for ever.
    async fn phases(self, steps: &[Step]) -> Result<(), ApplyError> {
        let mut running = JoinSet::new();
        for step in steps {
            match step {
                Step::Run { phase, .. } => drop(running.spawn(self.execution(phase).await?)),
                Step::Deploy(step) => drop(running.spawn(self.deployment(step))),
                _ => {}
            }
        }
        let mut result = Ok(());
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended.map_err(ApplyError::from).flatten() {
                result = Err(error);
            }
            // A failed write does not abandon the phases that are still running.
            if !running.is_empty()
                && let Err(error) = self.record.lock().await.flush().await
            {
                result = Err(error);
            }
        }
        result
    }

    fn deployment(self, step: &DeployStep) -> impl Future<Output = Result<(), ApplyError>> + use<> {
        let (executor, record) = (Arc::clone(self.executor), Arc::clone(self.record));
        let (link, step, stop) = (self.plan.link.clone(), step.clone(), self.stop.clone());
        async move { deploy::deploy(&executor, &record, &stop, &link, &step).await.map(drop) }
    }

    async fn execution(
        self,
        phase: &Phase,
    ) -> Result<impl Future<Output = Result<(), ApplyError>> + use<>, ApplyError> {
        let PhaseKind::Execution(execution) = &phase.kind else {
            return Err(ApplyError::Missing(format!("`{}` runs no code", phase.name)));
        };
        let (run, sha) = match self.record.lock().await.head().open_run() {
            Some(run) => (run.id.clone(), run.sha.clone()),
            None => return Err(ApplyError::Missing(format!("no run of `{}` is open", self.plan.link))),
        };
        let run = PhaseRun {
            executor: Arc::clone(self.executor),
            record: Arc::clone(self.record),
            link: self.plan.link.clone(),
            epoch: self.epoch,
            run,
            sha,
            phase: phase.clone(),
            execution: execution.clone(),
            stop: self.stop.clone(),
        };
        Ok(run.execute())
    }

    /// Ends and removes what a dead process left of an attempt.
    async fn recover(self, phase: &PhaseName, number: AttemptNumber) -> Result<(), ApplyError> {
        let attempt = {
            let record = self.record.lock().await;
            let state = record.head().run.as_ref().and_then(|run| run.phase(phase));
            state.and_then(|state| state.attempt.as_deref().cloned())
        };
        let Some(AttemptState { token, replicas, fleet, mut handles, outcome, .. }) = attempt else {
            return Ok(());
        };
        let fleet = self.executor.fleet(&fleet)?;
        if handles.is_empty() {
            handles = find_by_token(&*fleet, &token, replicas).await?;
        }
        self.record.lock().await.still_ours().await?;
        remove_all(&*fleet, &handles).await?;
        let mut record = self.record.lock().await;
        if outcome.is_none() {
            let (phase, outcome) = (phase.clone(), Outcome::Cancelled);
            record.stage(Event::AttemptEnded { phase, attempt: number, outcome })?;
        }
        record.record(Event::ServiceRemoved { phase: phase.clone(), attempt: number }).await
    }

    /// The first of these phases that failed, and is not tried again.
    async fn failed(self, steps: &[Step]) -> Option<PhaseName> {
        let record = self.record.lock().await;
        let run = record.head().open_run()?;
        let ran = |name: &PhaseName| steps.iter().any(|step| phase_of(step) == Some(name));
        let failed = run.phases.iter().find(|state| state.status == PhaseStatus::Failed && ran(&state.name));
        failed.map(|state| state.name.clone())
    }

    /// Whether all that was to be done is done, so that there is nothing left to stop.
    async fn is_complete(self) -> bool {
        let record = self.record.lock().await;
        record.head().deploying.is_none() && record.head().open_run().is_none_or(is_done)
    }

    async fn finish(self) -> Result<LinkResult, ApplyError> {
        let mut record = self.record.lock().await;
        if let Some(run) = record.head().open_run()
            && is_done(run)
        {
            let run = run.id.clone();
            record.end_run(run, RunOutcome::Succeeded)?;
        }
        record.flush().await?;
        Ok(LinkResult::Done {
            deployed: record.head().deployed.as_ref().map(|deployed| deployed.sha.clone()),
        })
    }

    /// Something said stop: what ran has ended, and its services are gone.
    async fn stopped(self) -> Result<LinkResult, ApplyError> {
        match self.stop.why() {
            Some(Why::Cancelled(request)) => {
                let mut record = self.record.lock().await;
                let is_meant =
                    |run: &&RunState| matches!(&request.ask, Ask::Cancel { sha } if *sha == run.sha);
                if let Some(run) = record.head().open_run().filter(is_meant) {
                    let run = run.id.clone();
                    let (from, why) = (request.by.clone(), request.why.clone());
                    record.stage(Event::Requested { ask: request.ask.clone(), from, why })?;
                    record.end_run(run, RunOutcome::Cancelled)?;
                    record.consume(request.id.clone());
                }
                record.flush().await?;
                Ok(LinkResult::Cancelled(Cancellation { by: request.by, why: request.why }))
            }
            Some(Why::LeaseLost) => Err(Stop::error(&self.plan.link, self.epoch)),
            Some(Why::Interrupted) | None => {
                self.record.lock().await.flush().await?;
                Ok(LinkResult::Interrupted)
            }
        }
    }
}

fn is_done(run: &RunState) -> bool {
    let done = |phase: &PhaseState| matches!(phase.status, PhaseStatus::Succeeded | PhaseStatus::Skipped);
    run.phases.iter().all(done)
}

/// The place in the workflow of a step that is a phase of the run.
fn order(step: &Step) -> Option<i64> {
    match step {
        Step::Run { phase, .. } => Some(phase.order),
        Step::Deploy(step) => step.phase.as_ref().map(|_| step.order),
        _ => None,
    }
}

fn phase_of(step: &Step) -> Option<&PhaseName> {
    match step {
        Step::Run { phase, .. } => Some(&phase.name),
        Step::Deploy(step) => step.phase.as_ref(),
        _ => None,
    }
}
