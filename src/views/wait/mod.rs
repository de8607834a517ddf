//! How far links are that are waited for.

mod json;
mod text;

pub use json::{ArrivalJson, ArrivalStateJson, ArrivalsJson, WaitOutcomeJson};
pub use text::ArrivalsText;
