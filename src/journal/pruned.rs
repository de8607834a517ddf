//! Prunes: remove the blobs of old attempts, and optionally the beginning of the journal.

use jiff::Timestamp;

use super::{Move, ensure};
use crate::domain::{CommitSha, CutMark, Generation, Head, HistoryCut, Pruned, removes};

/// A cut changes nothing in the head except the mark where the journal begins: all recorded state stays.
pub(super) fn pruned(
    head: &mut Head,
    (event, at): (Generation, Timestamp),
    blobs_before: Timestamp,
    keeps: &[CommitSha],
    history: Option<&HistoryCut>,
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

/// Whether the events through `through` may be cut: no open work and no former name depends on them.
fn cuttable(head: &Head, through: Generation) -> Move {
    let cut = head.cut_through();
    ensure(through > cut, || format!("the journal was already cut through event {cut}"))?;
    ensure(through <= head.generation, || format!("there is no event {through}"))?;
    let run = head.run.as_ref().and_then(|run| run.id.generation());
    ensure(run.is_none_or(|run| through < run), || "the cut includes the last run".to_owned())?;
    // Events under a former name are removed under that name.
    let renamed = head.formerly.last().map(|former| former.moved);
    ensure(renamed.is_none_or(|moved| through >= moved), || "it leaves events under a former name".to_owned())
}
