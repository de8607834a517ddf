//! Reads the journals of a record as lines.

use crate::domain::{ConsentId, Entry, EntryDigest, Event, Generation, Head, LinkId, RecordedEvent};
use crate::state::{OwnEvents, State, StateError};

/// Consents per page.
const PAGE: u64 = 500;

/// The lines of the events that are recorded under a name.
pub(super) struct JournalLines<'a> {
    events: OwnEvents<'a>,
    cut: Generation,
    chain: Chain,
    is_first: bool,
}

impl<'a> JournalLines<'a> {
    pub(super) fn new(state: &'a dyn State, link: &'a LinkId, head: &'a Head) -> Self {
        let cut = head.own_cut().map_or(Generation(0), |cut| cut.through);
        Self { events: OwnEvents::whole(state, link, head), cut, chain: Chain::default(), is_first: true }
    }

    /// The next lines; `None` at the end.
    pub(super) async fn page(&mut self) -> Result<Option<Vec<String>>, StateError> {
        loop {
            let mut page = self.events.page().await?;
            if page.is_empty() {
                return Ok(None);
            }
            if std::mem::take(&mut self.is_first)
                && let Some(first) = page.first()
                && !is_anchored(first)
            {
                // What a killed prune left of an older katkit's entries cannot be verified without those before.
                self.chain.before = self.events.base().await?;
                self.events.skip_to(Generation(self.cut.0.saturating_add(1)));
                page.retain(|recorded| recorded.generation > self.cut);
            }
            if !page.is_empty() {
                return Ok(Some(self.chain.lines(&page)));
            }
        }
    }

    /// The number of lines so far of entries that an older katkit wrote.
    pub(super) fn older(&self) -> u64 {
        self.chain.older
    }
}

/// Whether the digest of an entry needs none before it.
fn is_anchored(recorded: &RecordedEvent) -> bool {
    recorded.previous.is_some()
        || recorded.generation == Generation(1)
        || matches!(recorded.event, Event::MovedFrom { .. })
}

/// The lines of the journal of consents.
pub(super) struct ConsentLines<'a> {
    state: &'a dyn State,
    next: u64,
    last: u64,
    chain: Chain,
}

impl<'a> ConsentLines<'a> {
    pub(super) async fn new(state: &'a dyn State) -> Result<Self, StateError> {
        let last = state.consents().await?.last.0;
        Ok(Self { state, next: 1, last, chain: Chain::default() })
    }

    /// The next lines; `None` at the end.
    pub(super) async fn page(&mut self) -> Result<Option<Vec<String>>, StateError> {
        let limit = usize::try_from(PAGE).unwrap_or(usize::MAX);
        while self.next <= self.last {
            let end = ConsentId(self.next.saturating_add(PAGE));
            let mut page = self.state.consent_journal(Some(end), limit).await?;
            page.retain(|consent| (self.next..=self.last).contains(&consent.id.0));
            self.next = end.0;
            if !page.is_empty() {
                return Ok(Some(self.chain.lines(&page)));
            }
        }
        Ok(None)
    }

    /// The number of lines so far of entries that an older katkit wrote.
    pub(super) fn older(&self) -> u64 {
        self.chain.older
    }
}

/// Gives entries of an older katkit the digest that they lack.
#[derive(Default)]
struct Chain {
    before: Option<EntryDigest>,
    /// Whether an entry had a digest: all after it must have one as well.
    has_begun: bool,
    older: u64,
}

impl Chain {
    fn lines<E: Entry>(&mut self, entries: &[E]) -> Vec<String> {
        let line = |entry: &E| {
            let is_chained = entry.previous().is_some();
            self.has_begun |= is_chained;
            self.older += u64::from(!is_chained && !self.has_begun && self.before.is_some());
            let line = entry.line(self.before.filter(|_| !self.has_begun));
            self.before = Some(EntryDigest::of(line.as_bytes()));
            line
        };
        entries.iter().map(line).collect()
    }
}
