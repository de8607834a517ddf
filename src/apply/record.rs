//! The journal of one link, as its owner writes it.

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::{
    Actor, Epoch, Event, Generation, Head, LinkId, Recorded, Request, RequestId, RunId, RunOutcome,
};
use crate::journal;
use crate::platform::{Mandate as _, PlatformError};
use crate::state::{Append, Rename, State};

use super::ApplyError;
use super::mandate::Mandate;
use super::stop::Stop;

/// Folds and writes the events of a link under its lease.
///
/// Events can be staged and written together with the next ones; what must be durable before an effect is recorded.
#[derive(Debug)]
pub struct Record {
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    link: LinkId,
    epoch: Epoch,
    by: Actor,
    head: Head,
    written: Generation,
    staged: Vec<Recorded>,
    consumes: Vec<RequestId>,
}

impl Record {
    /// The journal of a link that is held under `epoch` and whose head is `head`; written on behalf of `by`.
    pub fn new(
        state: Arc<dyn State>,
        clock: Arc<dyn Clock>,
        link: LinkId,
        epoch: Epoch,
        by: Actor,
        head: Head,
    ) -> Self {
        let written = head.generation;
        Self { state, clock, link, epoch, by, head, written, staged: Vec::new(), consumes: Vec::new() }
    }

    /// What shows whether the lease is still held under which this is written.
    pub(super) fn mandate(&self) -> Mandate {
        Mandate {
            state: Arc::clone(&self.state),
            link: self.link.clone(),
            epoch: self.epoch,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Whether what belongs to the link is still this process's to end: it may have slept through the loss of its lease, and
    /// whoever took it over goes on with what runs.
    pub(super) async fn still_ours(&self) -> Result<(), ApplyError> {
        self.mandate().check().await.map_err(|error| match error {
            PlatformError::Overtaken { .. } => Stop::error(&self.link, self.epoch),
            error => error.into(),
        })
    }

    /// The head as it is with everything that was staged.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Folds an event; it is written with the next `flush`.
    pub fn stage(&mut self, event: Event) -> Result<(), ApplyError> {
        let generation = Generation(self.head.generation.0 + 1);
        let recorded = Recorded { generation, at: self.clock.now(), by: self.by.clone(), event };
        self.head = journal::step(&self.head, &recorded)?;
        self.staged.push(recorded);
        Ok(())
    }

    /// Stages the end of a run and, if the run verified its commit, the verification.
    pub(super) fn end_run(&mut self, run: RunId, outcome: RunOutcome) -> Result<(), ApplyError> {
        self.stage(Event::RunEnded { run, outcome })?;
        journal::verification(&self.head).map_or(Ok(()), |verified| self.stage(verified))
    }

    /// A request that the staged events take into account.
    pub(super) fn consume(&mut self, request: RequestId) {
        self.consumes.push(request);
    }

    /// Writes what was staged; when this returns it is durable.
    pub(super) async fn flush(&mut self) -> Result<(), ApplyError> {
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
        };
        self.state.append(write).await?;
        self.written = self.head.generation;
        self.staged.clear();
        self.consumes.clear();
        Ok(())
    }

    /// Takes over the record of an old name of the link, in one transaction.
    pub(super) async fn take_in(&mut self, mut old: Self, requests: &[Request]) -> Result<(), ApplyError> {
        self.flush().await?;
        let (head, record) = (old.head.clone(), old.head.digest());
        let moved = Recorded {
            generation: Generation(head.generation.max(self.head.generation).0 + 1),
            at: self.clock.now(),
            by: self.by.clone(),
            event: Event::MovedFrom { from: old.link.clone(), record: record.clone() },
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
        };
        let to = Append {
            link: &self.link,
            expected: self.written,
            epoch: self.epoch,
            events: std::slice::from_ref(&moved),
            head: &head,
            consumes: &[],
        };
        self.state.rename(Rename { from, to, requests }).await?;
        self.written = head.generation;
        self.head = head;
        Ok(())
    }

    /// Folds and writes an event, with everything that was staged before it.
    pub async fn record(&mut self, event: Event) -> Result<(), ApplyError> {
        self.stage(event)?;
        self.flush().await
    }
}
