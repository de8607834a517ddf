//! A progress listener that draws.

use crate::apply::Listener;

/// A listener that must be finished explicitly.
pub(in crate::cli) trait Display: Listener {
    /// Cleans up the terminal.
    fn finish(&self);
}
