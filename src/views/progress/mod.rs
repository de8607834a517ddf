//! The progress and result of an `apply`: lines for people, events for programs.

mod json;
mod json_summary;
mod text;
mod underway;

pub use json::{ApplyEvent, ApplyLine};
pub use json_summary::{AlsoFailedJson, FailureJson, LinkReportJson, LinkResultJson, SummaryJson};
pub use text::{ProgressText, time};
pub use underway::{pace, short};
