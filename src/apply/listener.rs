//! The receiver of progress events.

use std::fmt;

use crate::report::Progress;

/// Receives progress events. Called from many tasks; must return at once.
pub trait Listener: fmt::Debug + Send + Sync {
    /// Called for every event.
    fn hear(&self, progress: &Progress);

    /// Whether to send the last log lines of running phases, which must be read from the store.
    fn wants_log(&self) -> bool;
}
