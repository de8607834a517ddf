//! The journal of one link, written by the lease's owner.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::domain::{
    Actor, CommitSha, Consent, ConsentId, Epoch, Event, FormerName, Generation, Head, LinkId, RecordedEvent,
    Request, RequestId, RunId, RunOutcome,
};
use crate::journal;
use crate::platform::{FencingCheck as _, PlatformError};
use crate::state::{Append, OwnEvents, Rename, StandingConsents, State, StateError};

use super::ApplyError;
use super::lease_guard::LeaseGuard;
use super::stop::Stop;

/// Folds and writes the events of a link under its lease.
///
/// Staged events are written together with later ones. Use [`Record::record`] for an event that must be durable before
/// an effect.
#[derive(Debug)]
pub struct Record {
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    link: LinkId,
    epoch: Epoch,
    by: Actor,
    head: Head,
    written: Generation,
    staged: Vec<RecordedEvent>,
    consumes: Vec<RequestId>,
    /// When registries were last asked for the images to deploy, by the clock's elapsed time.
    pub(super) images_asked: Option<Duration>,
}

impl Record {
    /// The journal of a link whose lease is held under `epoch`, starting at `head`; written on behalf of `by`.
    ///
    /// Reads the journal if an older katkit wrote the head: its events get their chain now.
    pub async fn open(
        state: Arc<dyn State>,
        clock: Arc<dyn Clock>,
        link: LinkId,
        epoch: Epoch,
        by: Actor,
        mut head: Head,
    ) -> Result<Self, StateError> {
        if head.lacks_chain() {
            head.chain = OwnEvents::new(&*state, &link, &head).chain().await?;
        }
        let written = head.generation;
        let (staged, consumes, images_asked) = (Vec::new(), Vec::new(), None);
        Ok(Self { state, clock, link, epoch, by, head, written, staged, consumes, images_asked })
    }

    /// Checks whether the lease of this record is still held.
    pub(super) fn lease_guard(&self) -> LeaseGuard {
        LeaseGuard {
            state: Arc::clone(&self.state),
            link: self.link.clone(),
            epoch: self.epoch,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Fails if this process must no longer stop the link's services: it may have lost the lease while suspended, and
    /// the new owner continues with them.
    pub(super) async fn still_ours(&self) -> Result<(), ApplyError> {
        self.lease_guard().check().await.map_err(|error| match error {
            PlatformError::Overtaken { .. } => Stop::error(&self.link, self.epoch),
            error => error.into(),
        })
    }

    /// The head, including staged events.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Folds an event; the next `flush` writes it.
    pub fn stage(&mut self, event: Event) -> Result<(), ApplyError> {
        self.stage_at(self.clock.now(), event)
    }

    fn stage_at(&mut self, at: Timestamp, event: Event) -> Result<(), ApplyError> {
        let generation = Generation(self.head.generation.0 + 1);
        let (by, previous) = (self.by.clone(), self.head.chain);
        let recorded = RecordedEvent { generation, at, by, event, previous };
        self.head = journal::step(&self.head, &recorded)?;
        self.staged.push(recorded);
        Ok(())
    }

    /// Stages what belongs together: all of it or, if a part is illegal, nothing.
    pub(super) fn stage_together(
        &mut self,
        stage: impl FnOnce(&mut Self) -> Result<(), ApplyError>,
    ) -> Result<(), ApplyError> {
        let (head, staged, consumes) = (self.head.clone(), self.staged.len(), self.consumes.len());
        let done = stage(self);
        if done.is_err() {
            self.head = head;
            self.staged.truncate(staged);
            self.consumes.truncate(consumes);
        }
        done
    }

    /// Stages the end of a run and, if the run verified its commit, the verification.
    pub(super) fn end_run(&mut self, run: RunId, outcome: RunOutcome) -> Result<(), ApplyError> {
        self.end_run_because(run, outcome, None)
    }

    /// The same, with the reason for which katkit itself cancels it.
    pub(super) fn end_run_because(
        &mut self,
        run: RunId,
        outcome: RunOutcome,
        because: Option<String>,
    ) -> Result<(), ApplyError> {
        self.stage(Event::RunEnded { run, outcome, because })?;
        journal::verification(&self.head).map_or(Ok(()), |verified| self.stage(verified))
    }

    /// Removes an open request with the next write, since the staged events decide on it.
    pub(super) fn consume(&mut self, request: RequestId) {
        self.consumes.push(request);
    }

    /// Writes the staged events. They are durable when this returns.
    pub(super) async fn flush(&mut self) -> Result<(), ApplyError> {
        Ok(self.write(None).await?)
    }

    async fn write(&mut self, consents: Option<ConsentId>) -> Result<(), StateError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let write = Append {
            link: &self.link,
            expected: self.written,
            epoch: self.epoch,
            events: &self.staged,
            head: &self.head,
            consumes: &self.consumes,
            consents,
        };
        self.state.append(write).await?;
        self.written = self.head.generation;
        self.staged.clear();
        self.consumes.clear();
        Ok(())
    }

    /// Takes over the record of a former name of the link, in one transaction.
    pub(super) async fn take_in(&mut self, mut old: Self, requests: &[Request]) -> Result<(), ApplyError> {
        self.flush().await?;
        let (head, record) = (old.head.clone(), old.head.digest());
        let moved = RecordedEvent {
            generation: Generation(head.generation.max(self.head.generation).0 + 1),
            at: self.clock.now(),
            by: self.by.clone(),
            event: Event::MovedFrom { from: old.link.clone(), record: record.clone() },
            previous: self.head.chain,
        };
        let head = journal::step(&head, &moved)?;
        old.stage(Event::MovedTo { to: self.link.clone(), record })?;
        let from = Append {
            link: &old.link,
            expected: old.written,
            epoch: old.epoch,
            events: &old.staged,
            head: &old.head,
            consumes: &[],
            consents: None,
        };
        let to = Append {
            link: &self.link,
            expected: self.written,
            epoch: self.epoch,
            events: std::slice::from_ref(&moved),
            head: &head,
            consumes: &[],
            consents: None,
        };
        self.state.rename(Rename { from, to, requests }).await?;
        self.written = head.generation;
        self.head = head;
        Ok(())
    }

    /// Records an event, and removes the request that it grants, if it may happen at the very time that it is recorded
    /// with, and with the consents that then stand: `event` gets both, and returns `None` if it may not. Returns whether
    /// it may. The consents include the evidence for the `reviewed` commits.
    pub(super) async fn record_if(
        &mut self,
        grants: Option<&RequestId>,
        reviewed: &[CommitSha],
        event: impl Fn(Timestamp, &[Consent]) -> Option<Event>,
    ) -> Result<bool, ApplyError> {
        loop {
            let StandingConsents { last, standing } = self.state.consents_with_evidence(reviewed).await?;
            let at = self.clock.now();
            let Some(event) = event(at, &self.renamed(standing)) else { return Ok(false) };
            let head = self.head.clone();
            self.stage_at(at, event)?;
            self.consumes.extend(grants.cloned());
            let Err(error) = self.write(Some(last)).await else { return Ok(true) };
            // A later write must not make up for this one: it would not be conditional.
            self.staged.pop();
            self.consumes.truncate(self.consumes.len() - usize::from(grants.is_some()));
            self.head = head;
            // The new consent may be a freeze.
            if !matches!(error, StateError::ConsentGiven { .. }) {
                return Err(error.into());
            }
        }
    }

    /// The consents, with those for a former name of the link under its present one, as the plan has them.
    pub(super) fn renamed(&self, mut consents: Vec<Consent>) -> Vec<Consent> {
        for link in consents.iter_mut().filter_map(|consent| consent.what.link_mut()) {
            if FormerName::names(&self.head.formerly).any(|former| former == link) {
                *link = self.link.clone();
            }
        }
        consents
    }

    /// Folds and writes an event, with everything staged before it.
    pub async fn record(&mut self, event: Event) -> Result<(), ApplyError> {
        self.stage(event)?;
        self.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::domain::ConsentKind;
    use crate::state::{Consents as _, Leases as _, MemoryState, NewConsent};

    #[tokio::test]
    async fn what_belongs_together_is_staged_completely_or_not_at_all() {
        let (state, clock) = (Arc::new(MemoryState::new()), Arc::new(SystemClock::new()));
        let link = "dev/shop".parse().unwrap();
        let mut record =
            Record::open(state, clock, link, Epoch(1), "ana".into(), Head::default()).await.unwrap();
        let unlocked = || Event::Unlocked { from: "ben".to_owned(), why: None };
        record.stage(unlocked()).unwrap();
        let before = record.head().clone();
        let staged = record.stage_together(|record| {
            record.consume(RequestId("1".to_owned()));
            record.stage(unlocked())?;
            record.end_run(RunId("1".to_owned()), RunOutcome::Cancelled)
        });
        assert!(staged.is_err(), "there is no run to end");
        assert_eq!((record.head(), record.staged.len(), record.consumes.len()), (&before, 1, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_consent_that_is_given_after_the_judgement_is_judged_as_well() {
        let (state, clock) = (Arc::new(MemoryState::new()), Arc::new(SystemClock::new()));
        let link: LinkId = "dev/shop".parse().unwrap();
        let owner = crate::domain::Owner {
            id: "one".to_owned(),
            host: "laptop".to_owned(),
            boot: None,
            pid: 1,
            started_ticks: None,
            actor: "ana".to_owned(),
        };
        let epoch = state.acquire(&link, &owner, Duration::from_secs(30), None).await.unwrap().epoch;
        let mut record =
            Record::open(state.clone(), clock.clone(), link.clone(), epoch, "ana".into(), Head::default())
                .await
                .unwrap();
        record.stage(Event::Unlocked { from: "staged before".to_owned(), why: None }).unwrap();
        let judged = std::sync::Mutex::new(Vec::new());
        let event = || Event::Unlocked { from: "ben".to_owned(), why: None };
        let may_happen = |at, consents: &[Consent]| {
            let mut judged = judged.lock().unwrap();
            judged.push(consents.len());
            if judged.len() == 1 {
                let links = vec!["dev".to_owned()].try_into().unwrap();
                let zone = "UTC".to_owned();
                let what = ConsentKind::Freeze { links, until: Timestamp::MAX, zone, holds_rollbacks: false };
                let new = NewConsent { at, by: "ben".into(), why: None, what, ends: Vec::new() };
                let given = || tokio::runtime::Handle::current().block_on(state.consent(new));
                tokio::task::block_in_place(given).unwrap();
            }
            consents.is_empty().then(event)
        };
        assert!(!record.record_if(None, &[], may_happen).await.unwrap());
        assert_eq!(*judged.lock().unwrap(), [0, 1]);
        assert_eq!(
            (record.head().generation, record.staged.len()),
            (Generation(1), 1),
            "what was staged stays"
        );
        assert!(record.record_if(None, &[], |_, consents| (consents.len() == 1).then(event)).await.unwrap());
        assert_eq!(record.head().generation, Generation(2));
        // Nor does a failed write leave it behind for the next.
        state.break_lease(&link).await.unwrap();
        record.record_if(None, &[], |_, _| Some(event())).await.unwrap_err();
        assert_eq!((record.head().generation, record.staged.len()), (Generation(2), 0));
    }
}
