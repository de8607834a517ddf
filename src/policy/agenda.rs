//! What a policy holds and allows over a span of time.

use jiff::Timestamp;

use super::moment::Moment;
use super::span::{Reading, Span};
use super::verdict::{Freeze, Policy};
use super::window::Window;

/// A freeze, or a time at which deployments are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it begins.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// The freeze; `None` for a window, as far as no freeze covers it.
    pub freeze: Option<FreezeEntry>,
    /// What stays the same if the times of the window change a little: its place in the policy, the day on which this
    /// occurrence of it begins, and which part of that this is.
    pub key: String,
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
        let mut entries = Vec::new();
        for (number, Freeze { window, why, holds_rollbacks, cause: _ }) in self.freezes.iter().enumerate() {
            let about = FreezeEntry { why: why.clone(), holds_rollbacks: *holds_rollbacks };
            for span in spans(window, Reading::Longest) {
                let key = format!("freeze-{number}-{}", window.zone().at(span.start).date());
                entries.push(entry(window, span, Some(about.clone()), key));
            }
        }
        let frozen: Vec<Span> =
            self.freezes.iter().flat_map(|freeze| spans(&freeze.window, Reading::Longest)).collect();
        for (number, window) in self.allow.iter().enumerate() {
            for span in spans(window, Reading::Shortest) {
                let day = window.zone().at(span.start).date();
                for (part, open) in without(span, &frozen).into_iter().enumerate() {
                    entries.push(entry(window, open, None, format!("window-{number}-{day}-{part}")));
                }
            }
        }
        entries.sort_by(|a, b| (&a.start, &a.end, &a.key).cmp(&(&b.start, &b.end, &b.key)));
        entries
    }
}

fn entry(window: &Window, span: Span, freeze: Option<FreezeEntry>, key: String) -> Entry {
    Entry { start: window.zone().at(span.start), end: window.zone().at(span.end), freeze, key }
}

/// The parts of `span` that none of `others` covers.
fn without(span: Span, others: &[Span]) -> Vec<Span> {
    let mut left = vec![span];
    for other in others {
        let cut = |part: Span| {
            let before = Span { end: part.end.min(other.start), ..part };
            let after = Span { start: part.start.max(other.end), ..part };
            [before, after].into_iter().filter(|part| part.start < part.end)
        };
        left = left.into_iter().flat_map(cut).collect();
    }
    left
}
