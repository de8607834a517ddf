//! What happened to links: their journals in words, a line per event or per deployment, and in full for programs.

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
pub use text::HistoryText;
