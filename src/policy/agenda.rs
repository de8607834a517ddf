//! What a policy holds and allows over a span of time.

use jiff::Timestamp;

use super::moment::Moment;
use super::span::{Reading, Span};
use super::verdict::{Freeze, Policy};
use super::window::Window;

/// A freeze or a window for deployments, on the days that it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it begins.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// The freeze; `None` for a window in which deployments are allowed.
    pub freeze: Option<FreezeEntry>,
}

/// What a freeze says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeEntry {
    /// The reason.
    pub why: Option<String>,
    /// Whether requested rollbacks wait as well.
    pub holds_rollbacks: bool,
}

impl Policy {
    /// Everything that begins before `until` and ends after `from`, ordered by start.
    pub fn agenda(&self, from: Timestamp, until: Timestamp) -> Vec<Entry> {
        let spans = |window: &Window, reading: Reading| -> Vec<Span> {
            window.spans(from, reading).take_while(|span| span.start < until).collect()
        };
        let entry = |window: &Window, span: Span, freeze: Option<FreezeEntry>| Entry {
            start: window.zone().at(span.start),
            end: window.zone().at(span.end),
            freeze,
        };
        let frozen = self.freezes.iter().flat_map(|Freeze { window, why, holds_rollbacks }| {
            let about = FreezeEntry { why: why.clone(), holds_rollbacks: *holds_rollbacks };
            spans(window, Reading::Longest)
                .into_iter()
                .map(move |span| entry(window, span, Some(about.clone())))
        });
        let allowed = self.allow.iter().flat_map(|window| {
            spans(window, Reading::Shortest).into_iter().map(move |span| entry(window, span, None))
        });
        let mut entries: Vec<_> = frozen.chain(allowed).collect();
        entries.sort_by(|a, b| (&a.start, &a.end).cmp(&(&b.start, &b.end)));
        entries
    }
}
