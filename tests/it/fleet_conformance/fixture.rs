//! What a case needs of a fleet.

use std::sync::Arc;

use katkit::domain::Handle;
use katkit::fleet::{Fleet, Launch};

/// What the code of a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It goes on until it is told to end.
    Wait,
    /// It ends at once, and well.
    End,
}

/// A place with nothing in it but a fleet. What a case leaves there goes with it.
pub trait Yard {
    /// The fleet as another process of the same katkit has it, each time it is asked for.
    fn fleet(&self) -> Arc<dyn Fleet>;

    /// The same engine as another katkit has it.
    fn strangers(&self) -> Arc<dyn Fleet>;

    /// An order for a service; no two numbers have the same token, and an odd one does not what an even one does.
    fn order(&self, does: Does, number: u32) -> Launch;

    /// A handle of this kind of fleet, of no service.
    fn nobody(&self) -> Handle;
}
