//! Decides how much of a journal may be cut, and folds that part.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::PruneError;
use crate::domain::{Event, Generation, Head, HistoryCut, LinkId, RecordedEvent};
use crate::journal;
use crate::state::{Links, StateError};

/// How many events are read at a time.
const PAGE: u64 = 256;

/// The longest beginning of the journal that may be cut, and its number of events. It ends right before the start of a
/// run, and all of it is older than `before`.
pub(super) async fn cut(
    state: &dyn Links,
    link: &LinkId,
    head: &Head,
    before: Timestamp,
) -> Result<Option<(HistoryCut, u64)>, PruneError> {
    // Without these, no event has to stay, and there is nothing to cut up to.
    if head.run.is_none() && head.deployed.is_none() && head.moved_to.is_none() {
        return Ok(None);
    }
    let mut reader = Reader::begin(state, link, head).await?;
    while let Some(events) = reader.page(state, link, head).await? {
        for recorded in &events {
            match reader.take(head, recorded, before) {
                Ok(true) => {}
                Ok(false) => return Ok(reader.found(head)),
                Err(source) => return Err(PruneError::Journal { link: link.clone(), source }),
            }
        }
    }
    Ok(reader.found(head))
}

/// Reads a journal from its beginning.
struct Reader {
    folded: Head,
    digest: Sha256,
    events: u64,
    next: u64,
    /// The longest cut found so far.
    best: Option<(Head, Sha256, u64)>,
}

impl Reader {
    /// Starts at the beginning of the journal.
    async fn begin(state: &dyn Links, link: &LinkId, head: &Head) -> Result<Self, PruneError> {
        let (mut folded, mut digest) = (Head::default(), Sha256::new());
        if let Some(mark) = head.cut() {
            let after = Generation(mark.event.0.saturating_add(1));
            let found = state.journal(link, Some(after), 1).await?;
            let Some(Event::Pruned { history: Some(cut), .. }) = found.last().map(|found| &found.event)
            else {
                let place = format!("link `{link}`");
                let what = format!("event {} does not say what was cut", mark.event);
                return Err(StateError::Corrupt { place, what }.into());
            };
            folded = cut.base.clone();
            digest.update(&cut.record);
        }
        let next = folded.generation.0 + 1;
        Ok(Self { folded, digest, events: 0, next, best: None })
    }

    /// The next events; `None` at the end.
    async fn page(
        &mut self,
        state: &dyn Links,
        link: &LinkId,
        head: &Head,
    ) -> Result<Option<Vec<RecordedEvent>>, StateError> {
        loop {
            let end = Generation(self.next.saturating_add(PAGE));
            let limit = usize::try_from(PAGE).unwrap_or(usize::MAX);
            let mut events = state.journal(link, Some(end), limit).await?;
            events.retain(|recorded| recorded.generation.0 >= self.next);
            if let Some(last) = events.last() {
                self.next = last.generation.0 + 1;
                return Ok(Some(events));
            }
            match head.goes_on_after(Generation(self.next)) {
                Some(Generation(next)) => self.next = next,
                None => return Ok(None),
            }
        }
    }

    /// Takes the next event. Returns whether the cut may be after it.
    fn take(
        &mut self,
        head: &Head,
        recorded: &RecordedEvent,
        before: Timestamp,
    ) -> Result<bool, journal::IllegalMove> {
        if matches!(recorded.event, Event::RunStarted { .. } | Event::MovedTo { .. }) && self.events > 0 {
            self.best = Some((self.folded.clone(), self.digest.clone(), self.events));
        }
        if recorded.at >= before || stays(head, recorded) {
            return Ok(false);
        }
        self.folded = journal::step(&self.folded, recorded)?;
        // One line of JSON per event. An event that was read can be serialized.
        self.digest.update(serde_json::to_vec(recorded).unwrap_or_default());
        self.digest.update(b"\n");
        self.events += 1;
        Ok(true)
    }

    fn found(self, head: &Head) -> Option<(HistoryCut, u64)> {
        let (base, digest, events) = self.best?;
        // The part under a former name is cut as a whole.
        if head.formerly.last().is_some_and(|former| base.generation < former.moved) {
            return None;
        }
        let record = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Some((HistoryCut { base, record }, events))
    }
}

/// Whether an event must stay: it belongs to the run that deployed the live commit, or to the last run.
fn stays(head: &Head, recorded: &RecordedEvent) -> bool {
    let deployed = head.deployed.as_ref();
    match &recorded.event {
        Event::RunStarted { run, .. } => head.run.as_ref().is_some_and(|last| last.id == *run),
        Event::DeployIntended { token, .. } => {
            deployed.is_some_and(|deployed| deployed.token.as_ref() == Some(token))
        }
        Event::Adopted { .. } => {
            deployed.is_some_and(|deployed| deployed.token.is_none() && deployed.at == recorded.at)
        }
        // A former name keeps the event that says where its record moved.
        Event::MovedTo { to, .. } => {
            head.moved_to.as_ref() == Some(to) && head.generation >= recorded.generation
        }
        _ => false,
    }
}
