//! When a policy allows a deployment next.

use jiff::{SignedDuration, Timestamp};

use super::moment::Moment;
use super::span::{Reading, Span};
use super::verdict::{Freeze, FreezeCause, Policy};
use super::window::Window;
use super::zone::Zone;

impl Policy {
    /// The earliest time from `from` on at which no freeze is in force and, where there are windows, one is open.
    /// `None` if that is more than [`Policy::HORIZON_DAYS`] away.
    pub fn opening(&self, from: Timestamp) -> Option<Timestamp> {
        let horizon = Self::horizon(from)?;
        let mut at = from;
        while at <= horizon {
            at = match self.thawed(at) {
                Some(end) => end,
                None if self.is_allowed(at) => return Some(at),
                None => self.next_allowed(at)?,
            };
        }
        None
    }

    /// The first time after `from`, at which a deployment is allowed, at which none is. `None` if that is more than
    /// [`Policy::HORIZON_DAYS`] away.
    pub fn closing(&self, from: Timestamp) -> Option<Moment> {
        let horizon = Self::horizon(from)?;
        let mut at = self.next_change(from)?;
        while at <= horizon {
            if self.thawed(at).is_some() || !self.is_allowed(at) {
                return Some(self.zone().at(at));
            }
            at = self.next_change(at)?;
        }
        None
    }

    /// The first time after `from` at which the answer may change: a freeze begins or ends, or a window opens or
    /// closes. `None` if nothing ever changes again.
    fn next_change(&self, from: Timestamp) -> Option<Timestamp> {
        let freezes = self.freezes.iter().map(|freeze| (&freeze.window, Reading::Longest));
        let allow = self.allow.iter().map(|window| (window, Reading::Shortest));
        let change = |span: Span| if span.start > from { span.start } else { span.end };
        let next = freezes.chain(allow).flat_map(|(window, reading)| {
            [window.active(from, reading), window.next(from, reading)].into_iter().flatten().map(change)
        });
        next.min()
    }

    /// The zone for times that concern the whole policy: that of the first of its freezes, windows, daily limit and
    /// calendar; otherwise that of a freeze by hand.
    pub fn zone(&self) -> Zone {
        let is_rule = |freeze: &&Freeze| freeze.cause == FreezeCause::Rule;
        let rules = self.freezes.iter().filter(is_rule).map(|freeze| freeze.window.zone());
        let own = rules.chain(self.allow.iter().map(Window::zone));
        let own = own.chain(self.per_day.iter().map(|limit| &limit.zone));
        let hours = self.soak.iter().filter_map(|soak| soak.hours.as_ref());
        let mut all =
            own.chain(hours.map(Window::zone)).chain(self.freezes.iter().map(|it| it.window.zone()));
        all.next().cloned().unwrap_or(Zone::UTC)
    }

    fn horizon(from: Timestamp) -> Option<Timestamp> {
        from.checked_add(SignedDuration::from_hours(24 * Self::HORIZON_DAYS)).ok()
    }

    /// The end of the freeze that is in force at `at`, if one is.
    fn thawed(&self, at: Timestamp) -> Option<Timestamp> {
        let active = self.freezes.iter().filter_map(|freeze| freeze.window.active(at, Reading::Longest));
        active.map(|span| span.end).max()
    }

    fn is_allowed(&self, at: Timestamp) -> bool {
        self.allow.is_empty()
            || self.allow.iter().any(|window| window.active(at, Reading::Shortest).is_some())
    }

    fn next_allowed(&self, at: Timestamp) -> Option<Timestamp> {
        self.allow.iter().filter_map(|window| window.next(at, Reading::Shortest)).map(|span| span.start).min()
    }
}
