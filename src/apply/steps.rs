//! The steps of one link, in order.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::deploy::FinalizedDeployment;
use super::link_executor::LinkExecutor;
use super::phase_run::PhaseRun;
use super::removal::{find_by_token, remove_all};
use super::stop::{Stop, Why};
use super::{ApplyError, deploy, failure, limit, moved};
use crate::domain::{
    AttemptNumber, AttemptState, Cancellation, DeployPurpose, Event, Head, Outcome, Phase, PhaseKind,
    PhaseName, PhaseStatus, RequestKind, RunOutcome, RunState,
};
use crate::journal;
use crate::plan::{DeployStep, Hold, HoldScope, Step};
use crate::report::{LinkResult, Progress};

impl LinkExecutor<'_> {
    pub(super) async fn execute(self) -> Result<LinkResult, ApplyError> {
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
                let failed = self.session.failure_limit.keeps_back(&self.plan.link);
                if limit::deploys(group) && !failed.is_empty() {
                    // The run stays open, and a later apply continues it.
                    self.record.lock().await.flush().await?;
                    return Ok(LinkResult::KeptBack { after: failed });
                }
                if let Some(held) = self.held_before(group).await? {
                    return Ok(held);
                }
                if let Some(refused) = self.refused_images(group).await? {
                    return Ok(refused);
                }
                self.phases(group).await?;
                self.record_images(group).await?;
                if let Some(held) = self.held_after(group).await? {
                    return Ok(held);
                }
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

    /// Executes a step that is not a phase of the run; `rest` follows it. A step without an external effect is staged,
    /// and written with the next event. Returns the link's result if it ends here.
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
                if matches!(request.ask, RequestKind::Waive { .. })
                    && let Some(verified) = journal::verification(record.head())
                {
                    record.stage(verified)?;
                }
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
                format!("refused the {} requested by {}: {why}", request.ask.word(), request.by)
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
                format!(
                    "dropped the {} requested by {}: withdrawn by {}",
                    request.ask.word(),
                    request.by,
                    by.by
                )
            }
            Step::Recover { phase, attempt } => {
                drop(record);
                self.recover(phase, *attempt).await?;
                format!("removed what was left of attempt {attempt} of `{phase}`")
            }
            Step::Finalize { sha } => {
                let finalized = deploy::finalize(self.session, &mut record, self.stop, link).await?;
                drop(record);
                if let Some(failed) =
                    finalized.filter(|finalized| finalized.failed() && finalized.is_awaited(self.plan, rest))
                {
                    return self.failed_unobserved(failed).await.map(Some);
                }
                format!("finalized the interrupted deployment of {}", sha.short())
            }
            // Taking it over was all; it is released when the last step is done.
            Step::ReleaseLease { owner } => format!("released the lease of {owner}, which is gone"),
            Step::EndRun { run, sha, outcome, because } => {
                // A run that an earlier step started got its id after the plan was made.
                let open = record.head().open_run().filter(|open| open.sha == *sha);
                let run = open.map_or(run, |open| &open.id).clone();
                record.end_run_because(run, *outcome, because.clone())?;
                return Ok(None);
            }
            Step::StartRun { .. } => {
                drop(record);
                return self.start_run(step).await;
            }
            Step::Skip { phase, sha: _ } => {
                record.stage(Event::PhaseSkipped { phase: phase.clone() })?;
                format!("`{phase}` is skipped by the manifest")
            }
            Step::Restore { phase, sha: _ } => {
                record.stage(Event::PhaseRestored { phase: phase.clone() })?;
                format!("`{phase}` is no longer skipped by the manifest")
            }
            Step::Deploy(step) => {
                record.flush().await?;
                drop(record);
                let outcome = deploy::deploy(self.session, self.record, self.stop, self.plan, step).await?;
                let Some(outcome) = outcome else { return self.held_repair().await };
                let failed = failure::of_deployment(step.purpose, &step.to, &outcome);
                return Ok(failed.map(|failed| LinkResult::Failed(Box::new(failed))));
            }
            Step::Adopt { sha, images, revision } => {
                let (images, revision) = (images.clone(), revision.clone());
                record.record(Event::Adopted { sha: sha.clone(), images, revision }).await?;
                format!("adopted {}, which is already running", sha.short())
            }
            Step::Quarantine { sha, why, good, alone } => {
                let done = format!("quarantined {}: {why}", sha.short());
                let (sha, why, good) = (sha.clone(), why.clone(), good.clone());
                record.stage(Event::Quarantined { sha, why, good, alone: *alone })?;
                done
            }
            Step::Forget => {
                record.record(Event::Forgotten).await?;
                "forgotten; running services were left alone".to_owned()
            }
            Step::Move { from, base, takes_over } => {
                moved::take_in(self, &mut record, from, *base, takes_over.as_ref()).await?;
                format!("`{from}` is now `{link}`: its record continues here")
            }
            Step::Run { .. } => return Ok(None),
        };
        self.session.listener.hear(&Progress::Done { link: link.clone(), what: done });
        Ok(None)
    }

    /// Handles an in-flight deployment that turned out to have failed. The plan assumed it was lost and would issue it
    /// again. But it ran and failed, so a user or the next plan decides.
    async fn failed_unobserved(self, finalized: FinalizedDeployment) -> Result<LinkResult, ApplyError> {
        let FinalizedDeployment { purpose, sha, outcome } = finalized;
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

    /// Runs phases of the same order concurrently. Each runs to its end, even if another fails.
    ///
    /// Each is its own task. A future polled only here would stall while this one waits for the record, perhaps while
    /// holding the record's lock: a deadlock.
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
            // A failed write does not abandon running phases.
            if !running.is_empty()
                && let Err(error) = self.record.lock().await.flush().await
            {
                result = Err(error);
            }
        }
        result
    }

    fn deployment(self, step: &DeployStep) -> impl Future<Output = Result<(), ApplyError>> + use<> {
        let (session, record) = (Arc::clone(self.session), Arc::clone(self.record));
        let (plan, step, stop) = (self.plan.clone(), step.clone(), self.stop.clone());
        async move { deploy::deploy(&session, &record, &stop, &plan, &step).await.map(drop) }
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
            None => {
                return Err(ApplyError::Missing(format!("no run of `{}` is in progress", self.plan.link)));
            }
        };
        let run = PhaseRun {
            session: Arc::clone(self.session),
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

    /// Finalizes the deployment and removes the attempts that dead processes left in flight: until then no run can end.
    async fn end_in_flight(self) -> Result<(), ApplyError> {
        let left: Vec<_> = {
            let mut record = self.record.lock().await;
            deploy::finalize(self.session, &mut record, self.stop, &self.plan.link).await?;
            let phases = record.head().open_run().into_iter().flat_map(|run| &run.phases);
            let in_flight = phases.filter_map(|phase| {
                let attempt = phase.attempt.as_ref().filter(|attempt| !attempt.removed)?;
                Some((phase.name.clone(), attempt.number))
            });
            in_flight.collect()
        };
        for (phase, attempt) in left {
            self.recover(&phase, attempt).await?;
        }
        Ok(())
    }

    /// Stops and removes the services that a dead process left of an attempt.
    async fn recover(self, phase: &PhaseName, number: AttemptNumber) -> Result<(), ApplyError> {
        let attempt = {
            let record = self.record.lock().await;
            let state = record.head().run.as_ref().and_then(|run| run.phase(phase));
            state.and_then(|state| state.attempt.as_deref().cloned())
        };
        let Some(AttemptState { token, replicas, fleet, mut handles, outcome, .. }) = attempt else {
            return Ok(());
        };
        let fleet = self.session.executor.fleet(&fleet)?;
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

    /// The first of these phases that failed for good.
    async fn failed(self, steps: &[Step]) -> Option<PhaseName> {
        let record = self.record.lock().await;
        let run = record.head().open_run()?;
        let ran = |name: &PhaseName| steps.iter().any(|step| phase_of(step) == Some(name));
        let failed = run.phases.iter().find(|state| state.status == PhaseStatus::Failed && ran(&state.name));
        failed.map(|state| state.name.clone())
    }

    /// Whether everything is done, so that there is nothing to stop.
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
        let deployed = record.head().deployed.as_ref().map(|deployed| deployed.sha.clone());
        Ok(match self.plan.held_deployment() {
            Some(hold) if waits(hold, record.head()) => {
                LinkResult::Held { deployed, reason: hold.describe(), hint: hold.hint.clone() }
            }
            // It was in flight and succeeded, so the phases after it were not planned.
            Some(_) if record.head().open_run().is_some() => LinkResult::Held {
                deployed,
                reason: "the phases after the deployment have not run".to_owned(),
                hint: Some(format!("`katkit apply {}` runs them", self.plan.link)),
            },
            Some(_) | None => LinkResult::Done { deployed },
        })
    }

    /// Ends a stopped run. The phases that this process ran have ended, and their services are gone.
    async fn stopped(self) -> Result<LinkResult, ApplyError> {
        match self.stop.why() {
            Some(Why::Cancelled(request)) => {
                self.end_in_flight().await?;
                let mut record = self.record.lock().await;
                // Only after Ctrl-C: the request stays pending.
                if record.head().deploying.is_some() {
                    return Ok(LinkResult::Interrupted);
                }
                let is_meant =
                    |run: &&RunState| matches!(&request.ask, RequestKind::Cancel { sha } if *sha == run.sha);
                if let Some(run) = record.head().open_run().filter(is_meant) {
                    let run = run.id.clone();
                    let (ask, from, why) = (request.ask.clone(), request.by.clone(), request.why.clone());
                    record.stage_together(|record| {
                        record.stage(Event::Requested { ask, from, why })?;
                        record.consume(request.id.clone());
                        record.end_run(run, RunOutcome::Cancelled)
                    })?;
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

/// Whether what is held still has to be done.
fn waits(hold: &Hold, head: &Head) -> bool {
    let HoldScope::Phase { name } = &hold.scope else { return true };
    !head.run.as_ref().and_then(|run| run.phase(name)).is_some_and(|phase| phase.status.is_done())
}

fn is_done(run: &RunState) -> bool {
    run.phases.iter().all(|phase| phase.status.is_done())
}

/// The order of a step that is a phase of the run.
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
