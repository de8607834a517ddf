//! One phase of a run: attempts, until one succeeds or none is left.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::sync::Mutex;

use super::record::Record;
use super::spec::{GRACE, Place, phase_spec};
use super::stop::Stop;
use super::{ApplyError, Executor, watch};
use crate::blobs::BlobKey;
use crate::causes;
use crate::domain::{
    AttemptNumber, AttemptState, Checkout, CommitSha, Epoch, Event, Execution, Handle, LinkId, LostCause,
    Outcome, Phase, PhaseState, PhaseStatus, Placement, RunId, Source, Token,
};
use crate::fleet::{Fleet, FleetError, Launch};
use crate::journal;
use crate::manifest::Tenant;
use crate::report::Progress;

/// Seconds that a service is given beyond its phase's timeout before it is removed by force.
const OVERTIME: u64 = 60;

/// One phase of one run, with what its execution touches.
#[derive(Clone, Debug)]
pub(super) struct PhaseRun {
    pub(super) executor: Arc<Executor>,
    pub(super) record: Arc<Mutex<Record>>,
    pub(super) link: LinkId,
    pub(super) epoch: Epoch,
    pub(super) run: RunId,
    pub(super) sha: CommitSha,
    pub(super) phase: Phase,
    pub(super) execution: Execution,
    pub(super) stop: Stop,
}

/// An attempt on its way.
#[derive(Debug)]
struct Attempt {
    number: AttemptNumber,
    token: Token,
    fleet: Arc<dyn Fleet>,
    key: BlobKey,
    handles: Vec<Handle>,
    taken_over: bool,
}

impl PhaseRun {
    /// Runs attempts until the phase is done, or is not tried again. The end is staged, not yet durable: whoever
    /// joins the phases decides whether more is written with it.
    pub(super) async fn execute(self) -> Result<(), ApplyError> {
        loop {
            let state = self.state().await?;
            if matches!(state.status, PhaseStatus::Succeeded | PhaseStatus::Skipped) {
                return Ok(());
            }
            let mut attempt = self.begin(state).await?;
            let began = self.executor.clock.elapsed();
            let outcome = match self.launch(&mut attempt).await {
                Ok(()) => {
                    self.started(&attempt);
                    self.observe(&attempt).await?
                }
                Err(error) => not_launched(error)?,
            };
            attempt.fleet_remove(self.execution.parallelism).await?;
            let again = self.end(&attempt, outcome.clone()).await?;
            self.executor.listener.hear(&Progress::PhaseEnded {
                link: self.link.clone(),
                phase: self.phase.name.clone(),
                attempt: attempt.number,
                elapsed: self.executor.clock.elapsed().saturating_sub(began),
                again: again.is_some(),
                outcome,
            });
            let Some(pause) = again else { return Ok(()) };
            self.record.lock().await.flush().await?;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.wait() => return Ok(()),
            }
        }
    }

    async fn state(&self) -> Result<PhaseState, ApplyError> {
        let record = self.record.lock().await;
        let state = record.head().open_run().and_then(|run| run.phase(&self.phase.name)).cloned();
        state.ok_or_else(|| {
            ApplyError::Missing(format!("the run of `{}` has no phase `{}`", self.link, self.phase.name))
        })
    }

    /// The attempt in flight, or a new one whose intent is durable when this returns.
    async fn begin(&self, state: PhaseState) -> Result<Attempt, ApplyError> {
        if let Some(AttemptState { number, token, handles, fleet, removed: false, .. }) = state.attempt {
            let fleet = self.executor.fleet(&fleet)?;
            let key = self.key(number);
            return Ok(Attempt { number, token, fleet, key, handles, taken_over: true });
        }
        let number = AttemptNumber(state.attempt.map_or(0, |attempt| attempt.number.0) + 1);
        let token = Token::of_attempt(&self.link, &self.run, &self.phase.name, number);
        let name = self.fleet_name(self.place()?.tenant);
        let fleet = self.executor.fleet(&name)?;
        // Everything that can fail for reasons of the repository does so before anything is intended.
        self.brief(number).await?;
        let intent = Event::AttemptIntended {
            phase: self.phase.name.clone(),
            attempt: number,
            token: token.clone(),
            replicas: self.execution.parallelism,
            fleet: name,
        };
        self.record.lock().await.record(intent).await?;
        let key = self.key(number);
        Ok(Attempt { number, token, fleet, key, handles: Vec::new(), taken_over: false })
    }

    /// Writes `phase.json`, and the commit's pack where it is not in the blob store yet.
    async fn brief(&self, number: AttemptNumber) -> Result<(), ApplyError> {
        let place = self.place()?;
        let source = match self.execution.checkout {
            Checkout::Pack { depth } => {
                self.executor.supply.source(&place.repo.url, &self.sha, depth).await?
            }
            Checkout::Clone { depth } => Source::Clone { url: place.repo.url.clone(), depth },
        };
        let spec = phase_spec(place, &self.phase, &self.execution, &self.sha, number, source);
        let text = serde_json::to_vec(&spec).unwrap_or_default();
        Ok(self.executor.blobs.put(&self.key(number).phase_json(), &text).await?)
    }

    /// Starts every replica, or finds those that were started before.
    async fn launch(&self, attempt: &mut Attempt) -> Result<(), ApplyError> {
        if !attempt.handles.is_empty() {
            return Ok(());
        }
        if attempt.taken_over {
            // Whoever intended it may have died before the agent was told what to do.
            self.brief(attempt.number).await?;
        }
        let secrets = self.executor.secrets_of(&self.link)?;
        let secret_arns = self.executor.secret_arns_of(&self.link);
        let log_path = crate::blobs::log_path(&*self.executor.blobs, &attempt.key);
        let launches = (0..self.execution.parallelism).map(|replica| Launch {
            token: attempt.token.replica(replica),
            link: self.link.clone(),
            run: self.run.clone(),
            phase: self.phase.name.clone(),
            attempt: attempt.number,
            replica,
            log_path: log_path.clone(),
            image: self.execution.image.clone(),
            cpu: self.execution.cpu,
            memory: self.execution.memory,
            secrets: secrets.clone(),
            secret_arns: secret_arns.clone(),
        });
        let launches: Vec<_> = launches.collect();
        let handles = try_join_all(launches.iter().map(|launch| attempt.fleet.launch(launch))).await?;
        attempt.handles.clone_from(&handles);
        let launched =
            Event::AttemptLaunched { phase: self.phase.name.clone(), attempt: attempt.number, handles };
        self.record.lock().await.record(launched).await
    }

    /// Waits until every replica is gone, or ends them when they must not go on.
    async fn observe(&self, attempt: &Attempt) -> Result<Outcome, ApplyError> {
        let all_gone = join_all(attempt.handles.iter().map(|handle| attempt.fleet.gone(handle)));
        tokio::pin!(all_gone);
        let tail = watch::follow(self, &attempt.key);
        tokio::pin!(tail);
        let limit = Duration::from_secs(self.execution.timeout + GRACE + OVERTIME);
        let gone = tokio::select! {
            gone = &mut all_gone => gone,
            never = &mut tail => match never {},
            () = tokio::time::sleep(limit) => return Ok(Outcome::TimedOut { after: self.execution.timeout }),
            () = self.stop.wait() => {
                if self.stop.lost_lease() {
                    return Err(Stop::error(&self.link, self.epoch));
                }
                for handle in &attempt.handles {
                    attempt.fleet.stop(handle).await?;
                }
                match tokio::time::timeout(Duration::from_secs(2 * GRACE), &mut all_gone).await {
                    Ok(gone) => gone,
                    Err(_) => return Ok(Outcome::Cancelled),
                }
            }
        };
        let gone = gone.into_iter().collect::<Result<Vec<_>, _>>()?;
        watch::outcome(&*self.executor.blobs, &attempt.key, &gone, self.stop.is_set()).await
    }

    /// Stages the end. Returns how long to wait before the next attempt, if there is to be one.
    async fn end(&self, attempt: &Attempt, outcome: Outcome) -> Result<Option<Duration>, ApplyError> {
        let (phase, number) = (self.phase.name.clone(), attempt.number);
        let mut record = self.record.lock().await;
        record.stage(Event::AttemptEnded { phase: phase.clone(), attempt: number, outcome })?;
        record.stage(Event::ServiceRemoved { phase, attempt: number })?;
        let state = record.head().run.as_ref().and_then(|run| run.phase(&self.phase.name));
        // What somebody cancelled who is gone, while nobody wants it to stop any more, was not an attempt.
        let again = state.filter(|state| {
            let wanted =
                state.status == PhaseStatus::Cancelled || journal::tries_again(state, self.execution.retries);
            wanted && !self.stop.is_set()
        });
        Ok(again.map(|state| {
            Duration::from_secs(1 << state.losses.min(5)).saturating_sub(Duration::from_secs(1))
        }))
    }

    fn started(&self, attempt: &Attempt) {
        self.executor.listener.hear(&Progress::PhaseStarted {
            link: self.link.clone(),
            phase: self.phase.name.clone(),
            attempt: attempt.number,
            replicas: self.execution.parallelism,
            taken_over: attempt.taken_over,
        });
    }

    fn key(&self, number: AttemptNumber) -> BlobKey {
        BlobKey::attempt(&self.link, &self.sha, &self.phase.name, &self.run, number)
    }

    fn place(&self) -> Result<Place<'_>, ApplyError> {
        self.executor.place(&self.link)
    }

    fn fleet_name(&self, tenant: &Tenant) -> String {
        let fleet = match self.execution.placement {
            Placement::Tenant => &tenant.fleet,
            Placement::Build => tenant.build_fleet.as_ref().unwrap_or(&tenant.fleet),
        };
        fleet.to_string()
    }
}

impl Attempt {
    /// Removes every replica, also those of a launch that was cut short.
    async fn fleet_remove(&self, replicas: u32) -> Result<(), ApplyError> {
        if self.handles.len() == replicas as usize {
            for handle in &self.handles {
                self.fleet.remove(handle).await?;
            }
            return Ok(());
        }
        remove_by_token(&*self.fleet, &self.token, replicas).await
    }
}

/// Removes the services of an attempt of which no handles are known.
pub(super) async fn remove_by_token(
    fleet: &dyn Fleet,
    token: &Token,
    replicas: u32,
) -> Result<(), ApplyError> {
    let tokens: Vec<_> = (0..replicas).map(|replica| token.replica(replica)).collect();
    for found in fleet.list().await? {
        if tokens.contains(&found.token) {
            fleet.remove(&found.handle).await?;
        }
    }
    Ok(())
}

/// What it means for an attempt that it could not be launched; other trouble is passed on.
fn not_launched(error: ApplyError) -> Result<Outcome, ApplyError> {
    match error {
        ApplyError::Fleet(FleetError::Refused { what }) => {
            Ok(Outcome::Failed { exit_code: None, reason: what })
        }
        ApplyError::Fleet(FleetError::NotNow { cause, what }) => Ok(Outcome::Lost { cause, evidence: what }),
        ApplyError::Fleet(error @ FleetError::Unavailable { .. }) => {
            Ok(Outcome::Lost { cause: LostCause::NeverStarted, evidence: causes::in_one_line(&error) })
        }
        other => Err(other),
    }
}
