//! The check before events are removed.

use super::{Removal, StateError};
use crate::domain::{Event, RecordedEvent};

/// Refuses a removal that does not match the recorded event of its generation.
pub(super) fn check(removal: &Removal<'_>, recorded: Option<&RecordedEvent>) -> Result<(), StateError> {
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
