//! The checks of a write that do not need the stored record.

use super::{Append, StateError};

/// Refuses a write whose events or head do not follow `expected`.
pub(super) fn check(write: &Append<'_>) -> Result<(), StateError> {
    let invalid = |what: String| Err(StateError::Unsound { link: write.link.clone(), what });
    let mut last = write.expected.0;
    for recorded in write.events {
        let found = recorded.generation;
        if last.checked_add(1) != Some(found.0) {
            return invalid(format!("an event of generation {found} follows generation {last}"));
        }
        last = found.0;
    }
    if write.events.is_empty() {
        return invalid("it holds no event".to_owned());
    }
    if write.head.generation.0 != last {
        return invalid(format!(
            "its head is of generation {}, its last event of generation {last}",
            write.head.generation
        ));
    }
    Ok(())
}
