//! Makes a checkpoint.

use crate::audit::{Batch, CONSENTS, JournalEnd, LogCheck, SigningKey};
use crate::clock::Clock;
use crate::domain::{Actor, ConsentId, Entry as _};
use crate::state::{OwnEvents, State, StateError};

use super::AuditError;

/// A checkpoint that was asked for.
#[derive(Debug)]
pub enum NewCheckpoint {
    /// It was made.
    Made {
        /// The number of the last, if it took several.
        number: u64,
        /// The journals that changed since the checkpoint before.
        journals: usize,
        /// The signed note.
        note: String,
    },
    /// Nothing changed since the last.
    Unchanged {
        /// Its number; 0 if the record is empty.
        number: u64,
        /// Its signed note.
        note: Option<String>,
    },
}

/// Makes a checkpoint of the record.
///
/// Only reads heads, since each holds the digest of the last event of its journal. Safe to repeat and to run twice at
/// once: a checkpoint is added under its number, which only one process gets.
pub async fn checkpoint(
    state: &dyn State,
    clock: &dyn Clock,
    by: &Actor,
    key: &SigningKey,
) -> Result<NewCheckpoint, AuditError> {
    let ends = ends(state).await?;
    let mut journals = 0;
    loop {
        let mut log = LogCheck::new(&[], Vec::new());
        let mut last = None;
        for (number, text) in state.checkpoints().await? {
            let batch = batch(number, &text)?;
            log.batch(number, &batch);
            last = Some((number, batch.note));
        }
        let Some((number, batch)) = log.next(ends.iter().cloned(), (clock.now(), by.clone()), key) else {
            let (number, note) = last.map_or((0, None), |(number, note)| (number, Some(note)));
            return Ok(match note {
                Some(note) if journals > 0 => NewCheckpoint::Made { number, journals, note },
                note => NewCheckpoint::Unchanged { number, note },
            });
        };
        // If another process was faster, there may be nothing left to add.
        if state.add_checkpoint(number, &batch.text()).await? {
            journals += batch.leaves.len() - 1;
        }
    }
}

/// The batch with this number.
pub(super) fn batch(number: u64, text: &str) -> Result<Batch, StateError> {
    Batch::parse(text).ok_or_else(|| StateError::Corrupt {
        place: format!("checkpoint {number}"),
        what: "it does not consist of leaves and a note".to_owned(),
    })
}

/// Where every journal ends.
async fn ends(state: &dyn State) -> Result<Vec<JournalEnd>, StateError> {
    let survey = state.survey().await?;
    // Unreadable heads have an end as well, but nobody knows where.
    if let Some((_, error)) = survey.damaged.into_iter().next() {
        return Err(error);
    }
    let mut ends = Vec::with_capacity(survey.heads.len() + 1);
    for (link, head) in survey.heads {
        let chain = match head.chain {
            None => OwnEvents::new(state, &link, &head).chain().await?,
            chain => chain,
        };
        ends.extend(chain.map(|digest| JournalEnd {
            digest,
            journal: link.to_string(),
            length: head.generation.0,
        }));
    }
    let mut consents = state.consent_journal(None, 1).await?;
    if consents.first().is_some_and(|last| last.previous.is_none() && last.id > ConsentId(1)) {
        consents = state.consent_journal(None, usize::MAX).await?;
    }
    let digest = consents.iter().fold(None, |before, consent| Some(consent.digest(before)));
    ends.extend(consents.last().zip(digest).map(|(last, digest)| JournalEnd {
        digest,
        journal: CONSENTS.to_owned(),
        length: last.id.0,
    }));
    Ok(ends)
}
