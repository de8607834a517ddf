//! Prunes: what old attempts left goes, and perhaps the beginning of the journal.

use jiff::Timestamp;

use super::{Move, ensure};
use crate::domain::{CommitSha, Cut, CutMark, Generation, Head, Pruned, removes};

/// A cut changes nothing in the head but the mark that says where the journal begins: all that is on record stays so.
pub(super) fn pruned(
    head: &mut Head,
    (event, at): (Generation, Timestamp),
    blobs_before: Timestamp,
    keeps: &[CommitSha],
    history: Option<&Cut>,
) -> Move {
    if let Some(cut) = history {
        cuttable(head, cut.through())?;
    }
    if let Some(run) = &mut head.run {
        let attempts = run.phases.iter_mut().filter_map(|phase| phase.attempt.as_mut());
        for attempt in attempts.filter(|attempt| removes(blobs_before, keeps, &run.sha, attempt.started)) {
            attempt.pruned.get_or_insert(at);
        }
    }
    let mark = history.map(|cut| CutMark { through: cut.through(), event, at });
    let cut = mark.or(head.cut());
    head.pruned = Some(Box::new(Pruned { at, blobs_before, keeps: keeps.to_vec(), cut }));
    Ok(())
}

/// Whether nothing of what the events through `through` tell is still going on, or told of by its own events.
fn cuttable(head: &Head, through: Generation) -> Move {
    let cut = head.cut_through();
    ensure(through > cut, || format!("the journal was cut through event {cut} before"))?;
    ensure(through <= head.generation, || format!("there is no event {through}"))?;
    let run = head.run.as_ref().and_then(|run| run.id.generation());
    ensure(run.is_none_or(|run| through < run), || "the last run is a part of what it cuts".to_owned())?;
    // The part under a former name is that name's own to remove.
    let renamed = head.formerly.last().map(|former| former.moved);
    ensure(renamed.is_none_or(|moved| through >= moved), || {
        "what it leaves is recorded under a former name".to_owned()
    })
}
