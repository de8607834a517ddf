//! The progress of the links that `wait` waits for.

mod json;
mod text;

pub use json::{ArrivalJson, ArrivalStateJson, ArrivalsJson, WaitOutcomeJson};
pub use text::ArrivalsText;
