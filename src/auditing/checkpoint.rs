//! Makes a checkpoint.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::audit::{CONSENTS, Checkpoint, Finding, Flaw, JournalEnd, LogCheck, MOST, SigningKey};
use crate::clock::Clock;
use crate::domain::{Actor, Entry as _, Generation, Head, LinkId};
use crate::state::{OwnEvents, State, StateError};

use super::heads::{heads, unreadable};
use super::{AuditError, TOGETHER};

/// The last checkpoint, after one was asked for.
#[derive(Debug, Default)]
pub struct NewCheckpoint {
    /// Its number; 0 if there is none, since nothing is on record.
    pub number: u64,
    /// The number of journals that changed since the checkpoint before; 0 if none was made.
    pub journals: usize,
    /// The signed note.
    pub note: Option<String>,
    /// Journals that it leaves out, and why.
    pub findings: Vec<Finding>,
}

/// Makes a checkpoint of the record, or several if thousands of journals changed. `kept` are checkpoints that the log
/// must extend.
///
/// Reads the log, the heads, and the last event of each journal that changed. Safe to repeat and to run twice at once: a
/// checkpoint is added under its number, which only one process gets.
pub async fn checkpoint(
    state: &dyn State,
    clock: &dyn Clock,
    by: &Actor,
    key: &SigningKey,
    kept: &[Checkpoint],
) -> Result<NewCheckpoint, AuditError> {
    let mut journals = 0;
    loop {
        let mut log = LogCheck::new(&[], kept.to_vec());
        let mut last = NewCheckpoint::default();
        for (number, text) in state.checkpoints().await? {
            log.text(number, &text);
            let note = text.split_once("\n\n").map(|(_, note)| note.to_owned());
            last = NewCheckpoint { number, note, ..last };
        }
        // Read after the log: another process may have made a checkpoint meanwhile.
        let (changed, findings) = changed(state, &log).await?;
        let left = changed.len().saturating_sub(MOST);
        let next = log.next(changed, (clock.now(), by.clone()), key).map_err(AuditError::Log)?;
        let Some((number, batch)) = next else {
            return Ok(NewCheckpoint { journals, findings, ..last });
        };
        // Otherwise another process was faster, and there may be nothing left to add.
        if state.add_checkpoint(number, &batch.text()).await? {
            journals += batch.leaves.len() - 1;
            if left == 0 {
                return Ok(NewCheckpoint { number, journals, note: Some(batch.note), findings });
            }
        }
    }
}

/// The ends of the journals that the log does not have yet, and what is wrong with others.
async fn changed(
    state: &dyn State,
    log: &LogCheck<'_>,
) -> Result<(Vec<JournalEnd>, Vec<Finding>), StateError> {
    let (heads, mut findings) = heads(state).await?;
    let is_new = |(link, head): &(LinkId, Box<Head>)| match log.last(&link.to_string()) {
        Some((length, digest)) if length == head.generation.0 => {
            head.chain.is_some_and(|chain| chain != digest)
        }
        Some((length, _)) => length < head.generation.0,
        None => head.generation > Generation(0),
    };
    let heads = heads.into_iter().filter(is_new);
    let ends = heads.map(|(link, head)| async move { end(state, &link, &head).await });
    let ends: Vec<_> = ends.collect();
    let mut ends = stream::iter(ends).buffered(TOGETHER);
    let mut changed = Vec::new();
    while let Some(end) = ends.try_next().await? {
        match end {
            Ok(end) => changed.push(end),
            Err(finding) => findings.push(finding),
        }
    }
    let is_new = |end: &JournalEnd| {
        log.last(CONSENTS).is_none_or(|last| last != (end.length, end.digest) && last.0 <= end.length)
    };
    match state.last_consent().await {
        Ok(last) => {
            let end = last.map(|(last, digest)| JournalEnd {
                digest,
                journal: CONSENTS.to_owned(),
                length: last.0,
            });
            changed.extend(end.filter(is_new));
        }
        Err(error) if error.is_unreadable() => findings.push(unreadable(CONSENTS.to_owned(), &error)),
        Err(error) => return Err(error),
    }
    Ok((changed, findings))
}

/// Where a journal ends, if its last event is the one whose digest the head has.
async fn end(
    state: &dyn State,
    link: &LinkId,
    head: &Head,
) -> Result<Result<JournalEnd, Finding>, StateError> {
    let (journal, length) = (link.to_string(), head.generation.0);
    let Some(digest) = head.chain else {
        let digest = OwnEvents::new(state, link, head).chain().await?;
        let none = || Finding { journal: Some(link.to_string()), flaw: Flaw::Head };
        return Ok(digest.map(|digest| JournalEnd { digest, journal, length }).ok_or_else(none));
    };
    let after = Generation(length.saturating_add(1));
    let last = match state.own_journal(link, Some(after), 1).await {
        Err(error) if error.is_unreadable() => {
            return Ok(Err(unreadable(journal, &error)));
        }
        last => last?.pop(),
    };
    let is_last = last.is_some_and(|last| last.generation == head.generation && last.digest(None) == digest);
    if is_last {
        Ok(Ok(JournalEnd { digest, journal, length }))
    } else {
        Ok(Err(Finding { journal: Some(journal), flaw: Flaw::Head }))
    }
}
