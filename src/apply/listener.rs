//! Who is told how it goes.

use std::fmt;

use crate::report::Progress;

/// Is told how it goes. Called from many tasks; must return at once.
pub trait Listener: fmt::Debug + Send + Sync {
    /// Something happened.
    fn hear(&self, progress: &Progress);

    /// Whether the last log lines of running phases are wanted: reading them costs a little.
    fn wants_log(&self) -> bool;
}
