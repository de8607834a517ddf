//! What is checked before events are removed.

use super::{Removal, StateError};
use crate::domain::{Event, Recorded};

/// Refuses a removal that the event on record under its generation does not ask for.
pub(super) fn check(removal: &Removal<'_>, recorded: Option<&Recorded>) -> Result<(), StateError> {
    let cut = match recorded.map(|recorded| &recorded.event) {
        Some(Event::Pruned { history: Some(cut), .. }) => Some(cut.through()),
        _ => None,
    };
    if cut == Some(removal.through) && removal.through < removal.event {
        return Ok(());
    }
    let what = format!("event {} does not cut its journal through {}", removal.event, removal.through);
    Err(StateError::Unsound { link: removal.link.clone(), what })
}
