//! Reads the events recorded under one name from the beginning, a page at a time.

use super::{Links, StateError};
use crate::domain::{Entry as _, EntryDigest, Event, Generation, Head, LinkId, RecordedEvent};

/// Events per page.
const PAGE: usize = 500;

/// The events that are recorded under a name and were not cut, oldest first.
#[derive(Debug)]
pub struct OwnEvents<'a> {
    state: &'a dyn Links,
    link: &'a LinkId,
    head: &'a Head,
    next: Generation,
}

impl<'a> OwnEvents<'a> {
    /// Reads up to what `head`, which is recorded under the same name, was made from.
    pub fn new(state: &'a dyn Links, link: &'a LinkId, head: &'a Head) -> Self {
        let cut = head.own_cut().map_or(0, |cut| cut.through.0);
        Self { next: Generation(cut.saturating_add(1)), ..Self::whole(state, link, head) }
    }

    /// The same, with what a killed prune may have left of what it cut.
    pub fn whole(state: &'a dyn Links, link: &'a LinkId, head: &'a Head) -> Self {
        Self { state, link, head, next: Generation(1) }
    }

    /// Leaves out what comes before an event and was not read yet.
    pub fn skip_to(&mut self, next: Generation) {
        self.next = self.next.max(next);
    }

    /// The next events; empty at the end.
    pub async fn page(&mut self) -> Result<Vec<RecordedEvent>, StateError> {
        while self.next <= self.head.generation {
            let last = self.head.generation.0.saturating_add(1);
            let end = self.next.0.saturating_add(PAGE as u64).min(last);
            let mut events = self.state.own_journal(self.link, Some(Generation(end)), PAGE).await?;
            events.retain(|recorded| recorded.generation >= self.next);
            if let Some(last) = events.last() {
                self.next = Generation(last.generation.0.saturating_add(1));
                return Ok(events);
            }
            // A rename leaves a gap.
            let Some(next) = self.head.goes_on_after(self.next) else { break };
            self.next = next;
        }
        Ok(Vec::new())
    }

    /// The digest of the last event that was cut, if the cut recorded it.
    pub async fn base(&self) -> Result<Option<EntryDigest>, StateError> {
        let Some(cut) = self.head.own_cut() else { return Ok(None) };
        let after = Generation(cut.event.0.saturating_add(1));
        let found = self.state.own_journal(self.link, Some(after), 1).await?;
        Ok(match found.last().map(|found| &found.event) {
            Some(Event::Pruned { history: Some(cut), .. }) => cut.base.chain,
            _ => None,
        })
    }

    /// The digest of the last of them, for a head that an older katkit wrote.
    pub async fn chain(mut self) -> Result<Option<EntryDigest>, StateError> {
        let mut chain = self.base().await?;
        loop {
            let page = self.page().await?;
            if page.is_empty() {
                return Ok(chain);
            }
            chain = page.iter().fold(chain, |chain, recorded| Some(recorded.digest(chain)));
        }
    }
}
