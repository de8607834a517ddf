//! Counts the hours of a window, for what goes on only in working hours.
//!
//! Across a change of clocks, a window is read as short as its times can mean, so that nothing counts too much.

use jiff::{SignedDuration, Timestamp};

use super::span::{Reading, Span};
use super::verdict::Policy;
use super::window::Window;

impl Window {
    /// How many seconds of the window lie in a span.
    pub fn seconds_in(&self, span: Span) -> u64 {
        let parts = self.spans(span.start, Reading::Shortest).take_while(|part| part.start < span.end);
        parts.map(|part| seconds(part.start.max(span.start), part.end.min(span.end))).sum()
    }

    /// When so many seconds of the window have passed after `from`. `None` if that is more than
    /// [`Policy::HORIZON_DAYS`] away.
    pub fn after(&self, from: Timestamp, mut left: u64) -> Option<Timestamp> {
        let horizon = from.checked_add(SignedDuration::from_hours(24 * Policy::HORIZON_DAYS)).ok()?;
        for part in self.spans(from, Reading::Shortest).take_while(|part| part.start <= horizon) {
            let start = part.start.max(from);
            let length = seconds(start, part.end);
            if left <= length {
                return start.checked_add(SignedDuration::from_secs(i64::try_from(left).ok()?)).ok();
            }
            left -= length;
        }
        None
    }
}

/// The whole seconds from one instant to another; 0 if that is earlier.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}
