//! Renames: a journal ends under the old name and continues under the new one.

use super::{Move, ensure};
use crate::domain::{Event, FormerName, Generation, Head, LinkId, RecordedEvent};

/// Whether an event may come next. A journal has no gaps except at a rename: the new name may already have events, such
/// as a refused request.
pub(super) fn follows(head: &Head, recorded: &RecordedEvent) -> bool {
    match recorded.event {
        Event::MovedFrom { .. } => recorded.generation > head.generation,
        _ => recorded.generation.0 == head.generation.0 + 1,
    }
}

/// The record of `from` continues with the event `moved`.
pub(super) fn from(head: &mut Head, moved: Generation, from: &LinkId) -> Move {
    movable(head)?;
    head.formerly.push(FormerName { link: from.clone(), last: head.generation, moved, parted: false });
    head.forgotten = false;
    head.moved_to = None;
    Ok(())
}

/// The record continues under the name `to`.
pub(super) fn to(head: &mut Head, to: &LinkId) -> Move {
    movable(head)?;
    let parted = |former: FormerName| FormerName { parted: true, ..former };
    *head = Head {
        formerly: std::mem::take(&mut head.formerly).into_iter().map(parted).collect(),
        generation: head.generation,
        forgotten: true,
        moved_to: Some(to.clone()),
        // The events stay under this name, so where they begin stays too.
        pruned: head.pruned.take(),
        ..Head::default()
    };
    Ok(())
}

fn movable(head: &Head) -> Move {
    ensure(!head.is_blank(), || "there is no record to move".to_owned())?;
    ensure(head.deploying.is_none(), || "a deployment is in flight".to_owned())
}
