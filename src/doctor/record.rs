//! Whether the journal of a link has no gap and no illegal move, and folds into its head.

use crate::causes;
use crate::domain::{Check, Event, Generation, Head, LinkId};
use crate::journal;
use crate::plan::LinkInput;
use crate::state::{Links, State, StateError};

/// How many events are read at a time.
const PAGE: usize = 256;

/// How often a record that is being written is looked at anew.
const LOOKS: usize = 3;

/// What is wrong with the record of a link whose head could be read.
pub(super) async fn examine(state: &dyn State, link: &LinkInput) -> Option<Check> {
    let mut head = Head::clone(&link.head);
    for _ in 0..LOOKS {
        let what = match difference(state, &link.id, &head).await {
            Ok(None) => return None,
            Ok(Some(what)) => what,
            Err(error) => return Some(unread(&error)),
        };
        let now = match state.heads(Some(std::slice::from_ref(&link.id))).await {
            Ok(heads) => heads.into_iter().next().map(|(_, head)| head).unwrap_or_default(),
            Err(error) => return Some(unread(&error)),
        };
        if now == head {
            let place = format!("link `{}`", link.id);
            let hint = StateError::Corrupt { place, what: String::new() }.hint();
            return Some(Check::bad("its record", what, hint));
        }
        // Somebody wrote to it between the two.
        head = now;
    }
    None
}

/// A journal that is damaged, or one that cannot be read now.
fn unread(error: &StateError) -> Check {
    let what = causes::in_one_line(error);
    match error.is_unreadable() {
        true => Check::bad("its record", what, error.hint()),
        false => Check::unknown("its record", what),
    }
}

/// Where the journal tells something else than the head.
async fn difference(state: &dyn Links, id: &LinkId, head: &Head) -> Result<Option<String>, StateError> {
    let mut folded = match base(state, id, head).await? {
        Ok(base) => base,
        Err(what) => return Ok(Some(what)),
    };
    let mut next = folded.generation.0 + 1;
    loop {
        // Generations have no gaps, so the end of a page is known. The fold finds a gap that no rename explains.
        let end = Generation(u64::saturating_add(next, PAGE as u64));
        let page = state.journal(id, Some(end), PAGE).await?;
        let events: Vec<_> = page.iter().filter(|event| event.generation.0 >= next).collect();
        let goes_on = head.goes_on_after(Generation(next)).filter(|_| events.is_empty());
        if let Some(Generation(behind)) = goes_on {
            next = behind;
            continue;
        }
        let is_full = events.len() == PAGE;
        folded = match journal::fold_onto(folded, events) {
            Ok(folded) => folded,
            Err(illegal) => return Ok(Some(format!("its journal is not sound: {illegal}"))),
        };
        next = folded.generation.0 + 1;
        if !is_full && head.goes_on_after(folded.generation).is_none() {
            return Ok(compare(head, &folded));
        }
    }
}

/// What the events fold into that were cut off the journal, or that it is not there.
async fn base(state: &dyn Links, id: &LinkId, head: &Head) -> Result<Result<Head, String>, StateError> {
    let Some(mark) = head.cut() else { return Ok(Ok(Head::default())) };
    let after = Generation(mark.event.0.saturating_add(1));
    let found = state.journal(id, Some(after), 1).await?;
    Ok(match found.into_iter().next().map(|found| found.event) {
        Some(Event::Pruned { history: Some(cut), .. }) if cut.through() == mark.through => Ok(cut.base),
        _ => Err(format!("event {} does not tell what was cut off its journal", mark.event)),
    })
}

fn compare(head: &Head, folded: &Head) -> Option<String> {
    if head.generation == Generation(0) && folded.generation != Generation(0) {
        return Some(format!("it has no head, and its journal ends with event {}", folded.generation));
    }
    if head.generation != folded.generation {
        let (head, journal) = (head.generation, folded.generation);
        return Some(format!("its head is of generation {head}, and its journal ends with event {journal}"));
    }
    let Head {
        generation: _,
        deployed,
        verified,
        deploying,
        run,
        quarantined,
        forgotten,
        formerly,
        moved_to,
        pruned,
    } = head;
    let mut recorded = run.clone();
    if let (Some(run), Some(folded)) = (&mut recorded, &folded.run) {
        // Heads of older builds do not have it.
        run.cancelled = run.cancelled.take().or_else(|| folded.cancelled.clone());
    }
    let parts = [
        ("what is deployed", *deployed == folded.deployed),
        ("what was verified", *verified == folded.verified),
        ("the deployment in flight", *deploying == folded.deploying),
        ("the run", recorded == folded.run),
        ("what is quarantined", *quarantined == folded.quarantined),
        ("whether it was forgotten", *forgotten == folded.forgotten),
        ("what was pruned", *pruned == folded.pruned),
        ("what it was called", *formerly == folded.formerly && *moved_to == folded.moved_to),
    ];
    let differ: Vec<_> = parts.iter().filter(|(_, same)| !same).map(|(part, _)| *part).collect();
    (!differ.is_empty()).then(|| format!("its head and its journal do not agree on {}", differ.join(", ")))
}
