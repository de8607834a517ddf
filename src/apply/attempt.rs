//! One phase of a run: makes attempts until one succeeds or none is left.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::phase_run::PhaseRun;
use super::removal;
use super::spec::{GRACE, PhaseContext, phase_spec};
use super::stop::Stop;
use super::watch::{FinalStatuses, StopRequested, WatchEnd};
use super::{ApplyError, heartbeat, launch, watch};
use crate::blobs::BlobKey;
use crate::domain::{
    AttemptNumber, AttemptState, Checkout, DigestSource, Event, FormerName, Handle, LostCause, Outcome,
    PhaseState, PhaseStatus, Source, Token,
};
use crate::fleet::{Fleet, FleetError, Launch, ServiceState};
use crate::journal;
use crate::report::Progress;

/// The time from an accepted launch until the code starts: the fleet gets a machine and the image, the agent gets the
/// commit. The phase's own timeout starts after that, and the agent enforces it.
const STARTS: Duration = Duration::from_mins(15);

/// The time for the agent to store log and artifacts after the code: it waits that long for an unreachable store.
const STORES: Duration = Duration::from_mins(10);

/// The least pause after an attempt that found no capacity.
const NO_ROOM: Duration = Duration::from_secs(30);

/// How many files a warning names.
const NAMED: usize = 5;

/// An attempt in flight.
#[derive(Debug)]
struct Attempt {
    number: AttemptNumber,
    token: Token,
    /// The intended number, whatever the workflow says now.
    replicas: u32,
    fleet: Arc<dyn Fleet>,
    key: BlobKey,
    /// The replicas known to be launched: some may be missing if a launch failed.
    handles: Vec<Handle>,
    taken_over: bool,
}

impl PhaseRun {
    /// Makes attempts until the phase is done or out of retries. The outcome is staged, not yet durable: the caller
    /// that joins the phases decides what else to write with it.
    pub(super) async fn execute(self) -> Result<(), ApplyError> {
        loop {
            let state = self.state().await?;
            if state.status.is_done() {
                return Ok(());
            }
            // A stopping run starts no new attempt.
            let Some(mut attempt) = self.begin(state).await? else { return Ok(()) };
            let began = self.session.estate().clock.elapsed();
            let end = match self.launch(&mut attempt).await {
                Ok(true) => {
                    self.started(&attempt);
                    self.observe(&attempt).await?
                }
                Ok(false) => WatchEnd::Stopped,
                Err(_) if self.stop.is_set() && !self.stop.lost_lease() => WatchEnd::Stopped,
                Err(error) => WatchEnd::NotLaunched(launch::not_launched(error)?),
            };
            let FinalStatuses { outcome, exposed, images: _ } = if let WatchEnd::NotLaunched(outcome) = end {
                // Record the end before removing the launched replicas: the attempt must not be launched again.
                self.record.lock().await.record(self.ended(&attempt, &outcome)).await?;
                attempt.remove().await?;
                outcome.into()
            } else {
                if !matches!(end, WatchEnd::Gone { asked: StopRequested::No, .. }) {
                    self.record.lock().await.still_ours().await?;
                }
                attempt.remove().await?;
                // Only now: until it is gone, an agent may still write its final status.
                let (blobs, key) = (&*self.session.estate().blobs, &attempt.key);
                let statuses = watch::outcome(blobs, key, attempt.replicas, end).await?;
                self.record.lock().await.stage_together(|record| {
                    record.stage(self.ended(&attempt, &statuses.outcome))?;
                    self.built(&statuses).map_or(Ok(()), |built| record.stage(built))
                })?;
                statuses
            };
            self.warn(&exposed);
            let again = self.removed(&attempt, &outcome).await?;
            self.session.listener.hear(&Progress::PhaseEnded {
                link: self.link.clone(),
                phase: self.phase.name.clone(),
                attempt: attempt.number,
                elapsed: self.session.estate().clock.elapsed().saturating_sub(began),
                again: again.is_some(),
                outcome,
            });
            let Some(pause) = again else { return Ok(()) };
            self.record.lock().await.flush().await?;
            tokio::select! {
                biased;
                () = tokio::time::sleep(pause) => {}
                () = self.stop.wait() => return Ok(()),
            }
        }
    }

    /// The event that the phase built images, if it did.
    fn built(&self, statuses: &FinalStatuses) -> Option<Event> {
        let FinalStatuses { outcome, images, .. } = statuses;
        let (phase, source) = (self.phase.name.clone(), DigestSource::Phase);
        let has_built = outcome.is_success() && !images.is_empty();
        has_built.then(|| Event::ImagesRecorded { phase, source, images: images.clone() })
    }

    async fn state(&self) -> Result<PhaseState, ApplyError> {
        let record = self.record.lock().await;
        let state = record.head().open_run().and_then(|run| run.phase(&self.phase.name)).cloned();
        state.ok_or_else(|| {
            ApplyError::Missing(format!("the run of `{}` has no phase `{}`", self.link, self.phase.name))
        })
    }

    /// The attempt in flight, or a new one with a durable intent; `None` if the run must stop.
    async fn begin(&self, state: PhaseState) -> Result<Option<Attempt>, ApplyError> {
        let last = state.attempt.map(|attempt| *attempt);
        let number = AttemptNumber(last.as_ref().map_or(0, |last| last.number.0) + 1);
        if let Some(AttemptState { number, token, replicas, handles, fleet, removed: false, .. }) = last {
            let fleet = self.session.executor.fleet(&fleet)?;
            // It may have begun under a former name of the link.
            let formerly = self.record.lock().await.head().formerly.clone();
            let phase = (&self.run, &self.phase.name);
            let link = FormerName::of_attempt(&formerly, &self.link, phase, (number, &token));
            let key = BlobKey::attempt(link, &self.sha, &self.phase.name, &self.run, number);
            return Ok(Some(Attempt { number, token, replicas, fleet, key, handles, taken_over: true }));
        }
        let replicas = self.execution.parallelism;
        let token = Token::of_attempt(&self.link, &self.run, &self.phase.name, number);
        let name = self.phase_context()?.tenant.fleet_for(self.execution.placement).clone();
        let fleet = self.session.executor.fleet(&name)?;
        // Anything wrong with the repository or the inputs must fail before an intent is recorded: an attempt that fails
        // may roll the commit back.
        self.store_spec(&self.key(number), number).await?;
        self.store_inputs(&self.key(number)).await?;
        // Packing a commit takes a while.
        if self.stop.is_set() {
            return Ok(None);
        }
        let intent = Event::AttemptIntended {
            phase: self.phase.name.clone(),
            attempt: number,
            token: token.clone(),
            replicas,
            fleet: name,
            saved_plan: self.session.saved_plan.clone(),
        };
        self.record.lock().await.record(intent).await?;
        let key = self.key(number);
        Ok(Some(Attempt { number, token, replicas, fleet, key, handles: Vec::new(), taken_over: false }))
    }

    /// Writes `phase.json`, and the commit pack unless the blob store has it.
    async fn store_spec(&self, key: &BlobKey, number: AttemptNumber) -> Result<(), ApplyError> {
        let context = self.phase_context()?;
        let source = match self.execution.checkout {
            Checkout::Pack { depth } => {
                self.session.executor.packs.source(&context.repo.url, &self.sha, depth).await?
            }
            Checkout::Clone { depth } => Source::Clone { url: context.repo.url.clone(), depth },
        };
        let peers = self.session.executor.peers.document(self.session.estate(), &self.link).await?;
        let spec = phase_spec(context, &self.phase, &self.execution, &self.sha, number, source, peers);
        let text = serde_json::to_vec(&spec).unwrap_or_default();
        Ok(self.session.estate().blobs.put(&key.phase_json(), &text).await?)
    }

    /// Starts every replica, or finds those already started. Returns `false` if it started none because the run must
    /// stop.
    async fn launch(&self, attempt: &mut Attempt) -> Result<bool, ApplyError> {
        if !attempt.handles.is_empty() {
            return Ok(true);
        }
        if attempt.taken_over {
            // The process that recorded the intent may have died before it wrote the phase spec.
            self.store_spec(&attempt.key, attempt.number).await?;
            self.store_inputs(&attempt.key).await?;
        }
        let secrets = self.session.executor.secrets_of(&self.link).await?;
        let secret_arns = self.phase_context()?.tenant.secret_arns();
        let log_path = crate::blobs::log_path(&*self.session.estate().blobs, &attempt.key);
        let launches = (0..attempt.replicas).map(|replica| Launch {
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
        if self.stop.is_set() && !attempt.taken_over {
            return Ok(false);
        }
        let fleet = &*attempt.fleet;
        let launching: Vec<_> = launches.iter().map(|launch| launch::launch(self, fleet, launch)).collect();
        // Wait for every launch, even if one fails: an abandoned one could run unseen.
        let (launched, mut failed): (Vec<_>, Vec<_>) =
            join_all(launching).await.into_iter().partition(Result::is_ok);
        let handles: Vec<_> = launched.into_iter().flatten().collect();
        attempt.handles.clone_from(&handles);
        if let Some(Err(error)) = failed.pop() {
            return Err(error.into());
        }
        let launched =
            Event::AttemptLaunched { phase: self.phase.name.clone(), attempt: attempt.number, handles };
        self.record.lock().await.record(launched).await?;
        Ok(true)
    }

    /// Waits until every replica is gone, or there is no reason to wait any longer.
    async fn observe(&self, attempt: &Attempt) -> Result<WatchEnd, ApplyError> {
        let replicas = (0..).zip(&attempt.handles);
        let all_gone = join_all(replicas.map(|(replica, handle)| self.gone(attempt, replica, handle)));
        tokio::pin!(all_gone);
        let silence = heartbeat::silence(&*self.session.estate().blobs, &attempt.key, attempt.replicas);
        tokio::pin!(silence);
        let tail = watch::follow(self, &attempt.key, attempt.replicas);
        tokio::pin!(tail);
        let timeout = self.execution.timeout;
        let limit = timeout.saturating_add(STARTS + GRACE + STORES);
        let gone = tokio::select! {
            biased;
            gone = &mut all_gone => gone,
            never = &mut tail => match never {},
            silent = &mut silence => return Ok(WatchEnd::Silent { silent }),
            () = tokio::time::sleep(limit) => return Ok(WatchEnd::OutOfTime { timeout, limit }),
            () = self.stop.wait() => {
                if self.stop.lost_lease() {
                    return Err(Stop::error(&self.link, self.epoch));
                }
                self.record.lock().await.still_ours().await?;
                let stopping: Vec<_> =
                    attempt.handles.iter().map(|handle| attempt.fleet.stop(handle)).collect();
                join_all(stopping).await.into_iter().collect::<Result<(), _>>()?;
                match tokio::time::timeout(2 * GRACE, &mut all_gone).await {
                    Ok(gone) => gone,
                    Err(_) => return Ok(WatchEnd::Stopped),
                }
            }
        };
        let states = gone.into_iter().collect::<Result<Vec<_>, _>>()?;
        let asked = match (self.stop.is_set(), attempt.taken_over) {
            (true, _) => StopRequested::Yes,
            (false, true) => StopRequested::Perhaps,
            (false, false) => StopRequested::No,
        };
        Ok(WatchEnd::Gone { states, asked })
    }

    /// Waits until a replica is gone. If its fleet has lost track of it, it may still be running: wait for it anyway,
    /// since it cannot be stopped and a retry would run its code twice at once.
    async fn gone(
        &self,
        attempt: &Attempt,
        replica: u32,
        handle: &Handle,
    ) -> Result<ServiceState, FleetError> {
        let state = attempt.fleet.gone(handle).await?;
        if !attempt.fleet.saw_end(handle) {
            heartbeat::final_status(&*self.session.estate().blobs, &attempt.key.replica(replica)).await;
        }
        Ok(state)
    }

    fn ended(&self, attempt: &Attempt, outcome: &Outcome) -> Event {
        let (phase, outcome) = (self.phase.name.clone(), outcome.clone());
        Event::AttemptEnded { phase, attempt: attempt.number, outcome }
    }

    /// Stages the removal of the attempt. Returns the pause before the next attempt, if there is one.
    async fn removed(&self, attempt: &Attempt, outcome: &Outcome) -> Result<Option<Duration>, ApplyError> {
        let (phase, number) = (self.phase.name.clone(), attempt.number);
        let no_room = matches!(outcome, Outcome::Lost { cause: LostCause::NoCapacity, .. });
        let mut record = self.record.lock().await;
        record.stage(Event::ServiceRemoved { phase, attempt: number })?;
        let state = record.head().run.as_ref().and_then(|run| run.phase(&self.phase.name));
        // An attempt cancelled by a process that is gone does not count if nothing asks to stop now.
        let again = state.filter(|state| {
            let wanted =
                state.status == PhaseStatus::Cancelled || journal::tries_again(state, self.execution.retries);
            wanted && !self.stop.is_set()
        });
        Ok(again.map(|state| {
            let grows = Duration::from_secs(1 << state.losses.min(5)).saturating_sub(Duration::from_secs(1));
            if no_room { grows.max(NO_ROOM) } else { grows }
        }))
    }

    fn started(&self, attempt: &Attempt) {
        self.session.listener.hear(&Progress::PhaseStarted {
            link: self.link.clone(),
            phase: self.phase.name.clone(),
            attempt: attempt.number,
            replicas: attempt.replicas,
            taken_over: attempt.taken_over,
        });
    }

    /// Warns about stored artifacts that contain the value of a secret.
    fn warn(&self, exposed: &[String]) {
        let named: Vec<String> = exposed.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
        if named.is_empty() {
            return;
        }
        let more = exposed.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (phase, named) = (&self.phase.name, named.join(", "));
        let what = format!("warning: artifacts of `{phase}` contain the value of a secret: {named}{more}");
        self.session.listener.hear(&Progress::Done { link: self.link.clone(), what });
    }

    fn key(&self, number: AttemptNumber) -> BlobKey {
        BlobKey::attempt(&self.link, &self.sha, &self.phase.name, &self.run, number)
    }

    fn phase_context(&self) -> Result<PhaseContext<'_>, ApplyError> {
        self.session.executor.phase_context(&self.link)
    }
}

impl Attempt {
    /// Removes every replica, including those of an interrupted launch.
    async fn remove(&self) -> Result<(), ApplyError> {
        removal::remove_all(&*self.fleet, &self.handles).await?;
        if self.handles.len() < self.replicas as usize {
            let found = removal::find_by_token(&*self.fleet, &self.token, self.replicas).await?;
            removal::remove_all(&*self.fleet, &found).await?;
        }
        Ok(())
    }
}
