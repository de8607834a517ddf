//! What a case needs from a fleet.

use std::sync::Arc;

use katkit::domain::Handle;
use katkit::fleet::{Fleet, Launch};

/// The behaviour of a service's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Runs until it is told to stop.
    Wait,
    /// Ends at once, successfully.
    End,
}

/// An empty fleet. Everything a case leaves in it is removed with it.
pub trait Yard {
    /// The fleet as another process of the same katkit sees it; a new one on each call.
    fn fleet(&self) -> Arc<dyn Fleet>;

    /// The same backend as another katkit sees it.
    fn strangers(&self) -> Arc<dyn Fleet>;

    /// A launch of a service; each number has its own token, and odd numbers behave differently from even ones.
    fn order(&self, does: Does, number: u32) -> Launch;

    /// A handle of this kind of fleet that belongs to no service.
    fn nobody(&self) -> Handle;
}
