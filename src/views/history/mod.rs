//! What happened to a link: its journal in words, a line per event, and in full for programs.

mod json;
mod json_event;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use json::{HistoryJson, RecordedJson};
pub use json_event::EventJson;
pub use text::HistoryText;
