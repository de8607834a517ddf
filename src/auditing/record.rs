//! Reads the record line by line, and verifies it.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::audit::{
    CONSENTS, CheckedJournal, CheckedLog, Checkpoint, Finding, Flaw, JournalCheck, LogCheck, Report,
    VerifierKey,
};
use crate::domain::{ConsentId, Entry, EntryDigest, Head, LinkId};
use crate::state::{OwnEvents, State, StateError};

use super::AuditError;
use super::checkpoint::batch;

/// Journals read at a time.
const TOGETHER: usize = 8;

/// Consents per page.
const PAGE: u64 = 500;

/// Verifies the record against its own checkpoints and those that the caller kept. Without keys, signatures are not
/// verified.
pub async fn verify(
    state: &dyn State,
    keys: &[VerifierKey],
    kept: Vec<Checkpoint>,
) -> Result<Report, AuditError> {
    let count = kept.len();
    let mut log = LogCheck::new(keys, kept);
    // Read before the journals, which by then hold at least what it covers.
    for (number, text) in state.checkpoints().await? {
        log.batch(number, &batch(number, &text)?);
    }
    let mut log = log.finish();
    let survey = state.survey().await?;
    let mut report = Report::new(keys.len(), count);
    for (link, error) in survey.damaged {
        log.journals.remove(&link.to_string());
        report.findings.push(unreadable(link.to_string(), &error));
    }
    let promised = |log: &mut CheckedLog, name: &str| log.journals.remove(name).unwrap_or_default();
    let journals = survey.heads.into_iter().map(|(link, head)| {
        let promises = promised(&mut log, &link.to_string());
        async move { journal(state, &link, *head, &promises).await }
    });
    let journals: Vec<_> = journals.collect();
    let mut checked = stream::iter(journals).buffer_unordered(TOGETHER);
    while let Some(journal) = checked.try_next().await? {
        report.journal(journal);
    }
    let mut consents = JournalCheck::new(CONSENTS, &promised(&mut log, CONSENTS));
    let mut pages = ConsentLines::new(state).await?;
    while let Some(lines) = pages.page().await? {
        for line in &lines {
            consents.line(line.as_bytes());
        }
    }
    report.journal(consents.finish());
    // A journal that only the log knows.
    for (name, promises) in std::mem::take(&mut log.journals) {
        report.journal(JournalCheck::new(name, &promises).finish());
    }
    Ok(report.finish(log))
}

/// Verifies one journal. If it looks wrong, it may have been cut or renamed meanwhile, so that is looked up once.
async fn journal(
    state: &dyn State,
    link: &LinkId,
    head: Head,
    promises: &[(u64, u64, EntryDigest)],
) -> Result<CheckedJournal, StateError> {
    let checked = under(state, link, &head, promises).await?;
    if checked.findings.is_empty() {
        return Ok(checked);
    }
    let now = match state.heads(Some(std::slice::from_ref(link))).await {
        Ok(heads) => heads.into_iter().next().map(|(_, head)| head).unwrap_or_default(),
        Err(error) if error.is_unreadable() => return Ok(checked),
        Err(error) => return Err(error),
    };
    if now == head { Ok(checked) } else { under(state, link, &now, promises).await }
}

async fn under(
    state: &dyn State,
    link: &LinkId,
    head: &Head,
    promises: &[(u64, u64, EntryDigest)],
) -> Result<CheckedJournal, StateError> {
    let mut check = JournalCheck::new(link.to_string(), promises);
    let mut lines = JournalLines::new(state, link, head);
    let found = loop {
        match lines.page().await {
            Ok(Some(page)) => page.iter().for_each(|line| check.line(line.as_bytes())),
            Ok(None) => break None,
            Err(error) if error.is_unreadable() => break Some(unreadable(link.to_string(), &error)),
            Err(error) => return Err(error),
        }
    };
    let mut checked = check.finish();
    if let Some(unreadable) = found {
        // What could not be read is not missing.
        checked.findings.retain(|finding| !matches!(finding.flaw, Flaw::Cut { .. }));
        checked.findings.push(unreadable);
    } else if checked.findings.is_empty() {
        let (last, digest) = checked.last.map_or((0, None), |(last, digest)| (last, Some(digest)));
        if last != head.generation.0 || (head.chain.is_some() && head.chain != digest) {
            checked.findings.push(Finding { journal: Some(link.to_string()), flaw: Flaw::Head });
        }
    }
    Ok(checked)
}

fn unreadable(journal: String, error: &StateError) -> Finding {
    Finding { journal: Some(journal), flaw: Flaw::Unreadable { why: error.to_string() } }
}

/// The lines of a link's own events.
pub(super) struct JournalLines<'a> {
    events: OwnEvents<'a>,
    before: Option<EntryDigest>,
}

impl<'a> JournalLines<'a> {
    pub(super) fn new(state: &'a dyn State, link: &'a LinkId, head: &'a Head) -> Self {
        Self { events: OwnEvents::new(state, link, head), before: None }
    }

    /// The next lines; `None` at the end.
    pub(super) async fn page(&mut self) -> Result<Option<Vec<String>>, StateError> {
        Ok(lines(&self.events.page().await?, &mut self.before))
    }
}

/// The lines of the journal of consents.
pub(super) struct ConsentLines<'a> {
    state: &'a dyn State,
    next: u64,
    last: u64,
    before: Option<EntryDigest>,
}

impl<'a> ConsentLines<'a> {
    pub(super) async fn new(state: &'a dyn State) -> Result<Self, StateError> {
        let last = state.consents().await?.last.0;
        Ok(Self { state, next: 1, last, before: None })
    }

    /// The next lines; `None` at the end.
    pub(super) async fn page(&mut self) -> Result<Option<Vec<String>>, StateError> {
        let limit = usize::try_from(PAGE).unwrap_or(usize::MAX);
        while self.next <= self.last {
            let end = ConsentId(self.next.saturating_add(PAGE));
            let mut page = self.state.consent_journal(Some(end), limit).await?;
            page.retain(|consent| (self.next..=self.last).contains(&consent.id.0));
            self.next = end.0;
            if let Some(lines) = lines(&page, &mut self.before) {
                return Ok(Some(lines));
            }
        }
        Ok(None)
    }
}

fn lines<E: Entry>(entries: &[E], before: &mut Option<EntryDigest>) -> Option<Vec<String>> {
    let line = |entry: &E| {
        let line = entry.line(*before);
        *before = Some(EntryDigest::of(line.as_bytes()));
        line
    };
    let lines: Vec<_> = entries.iter().map(line).collect();
    (!lines.is_empty()).then_some(lines)
}
