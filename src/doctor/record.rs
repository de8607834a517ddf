//! Whether a link's journal has no gaps or illegal transitions, and folds into its head.

use crate::causes;
use crate::domain::{Check, Event, Evidence, Generation, Head, LinkId};
use crate::journal;
use crate::plan::LinkInput;
use crate::state::{Links, State, StateError};

/// Events per read.
const PAGE: usize = 256;

/// How often to check a record again that is being written to.
const TRIES: usize = 3;

/// Checks the record of a link whose head could be read.
pub(super) async fn examine(state: &dyn State, link: &LinkInput) -> Option<Check> {
    let mut head = Head::clone(&link.head);
    for _ in 0..TRIES {
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
        // Someone wrote to it between the two reads.
        head = now;
    }
    None
}

/// A damaged journal is a problem; an unreadable one may be temporary.
fn unread(error: &StateError) -> Check {
    let what = causes::in_one_line(error);
    match error.is_unreadable() {
        true => Check::bad("its record", what, error.hint()),
        false => Check::unknown("its record", what),
    }
}

/// How the journal differs from the head.
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
            Err(illegal) => return Ok(Some(format!("its journal is invalid: {illegal}"))),
        };
        next = folded.generation.0 + 1;
        if !is_full && head.goes_on_after(folded.generation).is_none() {
            return Ok(compare(head, &folded));
        }
    }
}

/// The head that pruned events fold into, or an error text if it is missing.
async fn base(state: &dyn Links, id: &LinkId, head: &Head) -> Result<Result<Head, String>, StateError> {
    let Some(mark) = head.cut() else { return Ok(Ok(Head::default())) };
    let after = Generation(mark.event.0.saturating_add(1));
    let found = state.journal(id, Some(after), 1).await?;
    Ok(match found.into_iter().next().map(|found| found.event) {
        Some(Event::Pruned { history: Some(cut), .. }) if cut.through() == mark.through => Ok(cut.base),
        _ => Err(format!("event {} does not record what was pruned from its journal", mark.event)),
    })
}

fn compare(head: &Head, folded: &Head) -> Option<String> {
    if head.generation == Generation(0) && folded.generation != Generation(0) {
        return Some(format!("it has no head, but its journal ends with event {}", folded.generation));
    }
    if head.generation != folded.generation {
        let (head, journal) = (head.generation, folded.generation);
        return Some(format!("its head is at generation {head}, but its journal ends with event {journal}"));
    }
    let Head {
        generation: _,
        chain,
        deployed,
        verified,
        live_clock,
        upgrades,
        deploying,
        run,
        quarantined,
        promoted,
        tests,
        forgotten,
        formerly,
        moved_to,
        pruned,
    } = head;
    // Older builds wrote heads without a clock.
    let without_clock = |list: &[Evidence]| -> Vec<Evidence> {
        list.iter().map(|evidence| Evidence { clock: 0, ..evidence.clone() }).collect()
    };
    let is_verified_alike = match live_clock {
        Some(clock) => {
            let is_like = folded.live_clock.as_ref().is_some_and(|folded| folded.is_like(clock));
            *verified == folded.verified && is_like
        }
        None => *verified == without_clock(&folded.verified),
    };
    let mut recorded = run.clone();
    if let (Some(run), Some(folded)) = (&mut recorded, &folded.run) {
        // Older builds wrote heads without it.
        run.cancelled = run.cancelled.take().or_else(|| folded.cancelled.clone());
    }
    let parts = [
        // Older builds wrote heads without it.
        ("the digest of the last event", chain.is_none() || *chain == folded.chain),
        ("what is deployed", *deployed == folded.deployed),
        ("what was verified", is_verified_alike),
        // Older builds did not remember them.
        ("when upgrades began", folded.upgrades.ends_with(upgrades)),
        ("the deployment in flight", *deploying == folded.deploying),
        ("the run", recorded == folded.run),
        ("what is quarantined", *quarantined == folded.quarantined),
        ("what was promoted", *promoted == folded.promoted),
        ("the tests of pull requests", *tests == folded.tests),
        ("whether it was forgotten", *forgotten == folded.forgotten),
        ("what was pruned", *pruned == folded.pruned),
        ("its former names", *formerly == folded.formerly && *moved_to == folded.moved_to),
    ];
    let differ: Vec<_> = parts.iter().filter(|(_, same)| !same).map(|(part, _)| *part).collect();
    (!differ.is_empty()).then(|| format!("its head and its journal disagree on {}", differ.join(", ")))
}
