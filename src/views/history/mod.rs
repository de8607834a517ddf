//! The history of links: one line per event or per deployment for people, and the complete journal as JSON.

mod deployments;
mod json;
mod json_event;
mod links;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use deployments::DeploymentsText;
pub use json::{HistoryCutJson, HistoryJson, RecordedJson, ReleaseJson};
pub use json_event::{CutJson, EventJson};
pub use links::LinksHistoryText;
pub(super) use links::TIME;
pub use text::HistoryText;
pub(super) use text::who;
pub(super) use words::{Commits, words};
