//! Verifies the record.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::audit::{
    CONSENTS, CheckedJournal, CheckedLog, Checkpoint, Finding, Flaw, JournalCheck, LogCheck, Report,
    VerifierKey,
};
use crate::domain::{EntryDigest, Generation, Head, LinkId};
use crate::state::{State, StateError};

use super::heads::{heads, unreadable};
use super::lines::{ConsentLines, JournalLines};
use super::{AuditError, TOGETHER};

/// Verifies the record against its own checkpoints and those that the caller kept. Without keys, signatures are not
/// verified.
pub async fn verify(
    state: &dyn State,
    keys: &[VerifierKey],
    kept: Vec<Checkpoint>,
) -> Result<Report, AuditError> {
    let mut report = Report::new(keys.len(), kept.len());
    let mut log = LogCheck::new(keys, kept);
    // Read before the journals, which by then hold at least what it covers.
    for (number, text) in state.checkpoints().await? {
        log.text(number, &text);
    }
    let mut log = log.finish();
    let promised = |log: &mut CheckedLog, name: &str| log.journals.remove(name).unwrap_or_default();
    let (heads, findings) = heads(state).await?;
    for journal in findings.iter().filter_map(|finding| finding.journal.as_deref()) {
        promised(&mut log, journal);
    }
    report.findings.extend(findings);
    let journals = heads.into_iter().map(|(link, head)| {
        let promises = promised(&mut log, &link.to_string());
        async move { journal(state, &link, *head, &promises).await }
    });
    let journals: Vec<_> = journals.collect();
    let mut checked = stream::iter(journals).buffer_unordered(TOGETHER);
    while let Some((journal, older)) = checked.try_next().await? {
        report.older += older;
        report.journal(journal);
    }
    let (mut consents, older) = consents(state, &promised(&mut log, CONSENTS)).await?;
    report.older += older;
    // Told already.
    consents.findings.retain(|finding| !report.findings.contains(finding));
    report.journal(consents);
    // A journal that only the log knows.
    for (name, promises) in std::mem::take(&mut log.journals) {
        report.journal(JournalCheck::new(name, &promises).finish());
    }
    Ok(report.finish(log))
}

/// A journal that was checked, and the number of its entries that an older katkit wrote.
type Checked = (CheckedJournal, u64);

async fn consents(state: &dyn State, promises: &[(u64, u64, EntryDigest)]) -> Result<Checked, StateError> {
    let mut check = JournalCheck::new(CONSENTS, promises);
    let mut pages = match ConsentLines::new(state).await {
        Ok(pages) => pages,
        Err(error) if error.is_unreadable() => return Ok((damaged(check, CONSENTS, &error), 0)),
        Err(error) => return Err(error),
    };
    loop {
        match pages.page().await {
            Ok(Some(lines)) => lines.iter().for_each(|line| check.line(line.as_bytes())),
            Ok(None) => return Ok((check.finish(), pages.older())),
            Err(error) if error.is_unreadable() => {
                return Ok((damaged(check, CONSENTS, &error), pages.older()));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Verifies one journal. If it looks wrong, it may have grown, been cut or been renamed meanwhile, so that is checked once.
async fn journal(
    state: &dyn State,
    link: &LinkId,
    head: Head,
    promises: &[(u64, u64, EntryDigest)],
) -> Result<Checked, StateError> {
    let checked = under(state, link, &head, promises).await?;
    if checked.0.findings.is_empty() {
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
) -> Result<Checked, StateError> {
    let name = link.to_string();
    let mut check = JournalCheck::new(name.clone(), promises);
    let mut lines = JournalLines::new(state, link, head);
    let read = loop {
        match lines.page().await {
            Ok(Some(page)) => page.iter().for_each(|line| check.line(line.as_bytes())),
            Ok(None) => break state.own_journal(link, None, 1).await,
            Err(error) => break Err(error),
        }
    };
    let beyond = match read {
        Ok(last) => match last.last().map(|last| last.generation).filter(|last| *last > head.generation) {
            // The head of now knows what was recorded meanwhile.
            Some(last) if generation(state, link).await? >= last => None,
            beyond => beyond,
        },
        Err(error) if error.is_unreadable() => return Ok((damaged(check, &name, &error), lines.older())),
        Err(error) => return Err(error),
    };
    let mut checked = check.finish();
    let (last, digest) = checked.last.map_or((0, None), |(last, digest)| (last, Some(digest)));
    let flaw = match beyond {
        Some(beyond) => Some(Flaw::Beyond { entry: beyond.0 }),
        None if !checked.findings.is_empty() => None,
        None => {
            let is_head = last == head.generation.0 && (head.chain.is_none() || head.chain == digest);
            (!is_head).then_some(Flaw::Head)
        }
    };
    checked.findings.extend(flaw.map(|flaw| Finding { journal: Some(name), flaw }));
    Ok((checked, lines.older()))
}

/// The current generation of a link.
async fn generation(state: &dyn State, link: &LinkId) -> Result<Generation, StateError> {
    match state.heads(Some(std::slice::from_ref(link))).await {
        Err(error) if error.is_unreadable() => Ok(Generation(0)),
        heads => Ok(heads?.first().map_or(Generation(0), |(_, head)| head.generation)),
    }
}

/// A journal that can be read only in part. What could not be read is not missing.
fn damaged(check: JournalCheck, name: &str, error: &StateError) -> CheckedJournal {
    let mut checked = check.finish();
    checked.findings.retain(|finding| !matches!(finding.flaw, Flaw::Cut { .. }));
    checked.findings.push(unreadable(name.to_owned(), error));
    checked
}
