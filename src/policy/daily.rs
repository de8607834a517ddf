//! How many deployments of a link may begin on one day.

use std::borrow::Cow;

use jiff::Timestamp;

use super::span::Span;
use super::verdict::{DailyLimit, Freeze, FreezeCause, Policy};
use super::window::Window;
use crate::domain::Head;

impl DailyLimit {
    /// The largest count. Records keep the times of as many deployments.
    pub const MOST: u32 = Head::UPGRADES;

    /// The civil day of an instant, from its first instant to that of the next. Usually 24 hours.
    pub fn day(&self, at: Timestamp) -> Option<Span> {
        let first = at.to_zoned(self.zone.rules().clone()).start_of_day().ok()?;
        let next = first.date().tomorrow().ok()?.to_zoned(self.zone.rules().clone()).ok()?;
        Some(Span { start: first.timestamp(), end: next.start_of_day().ok()?.timestamp() })
    }

    /// Whether no more may begin on `day`, when the deployments before began at `began`.
    fn is_reached(&self, began: &[Timestamp], day: Span) -> bool {
        let today = began.iter().filter(|at| (day.start..day.end).contains(at)).count();
        today >= usize::try_from(self.count).unwrap_or(usize::MAX)
    }
}

impl Policy {
    /// This policy, with its daily limit as a freeze for the rest of the day if it is reached.
    pub fn counting(&self, began: &[Timestamp], now: Timestamp) -> Cow<'_, Self> {
        self.with_daily_limit(began, now).map_or(Cow::Borrowed(self), Cow::Owned)
    }

    /// This policy, frozen for the rest of the day of `now`, if the deployments that began at `began` leave none for
    /// that day; `None` if they do.
    pub fn with_daily_limit(&self, began: &[Timestamp], now: Timestamp) -> Option<Self> {
        let limit = self.per_day.as_ref()?;
        let day = limit.day(now).filter(|day| limit.is_reached(began, *day))?;
        let freeze = Freeze {
            window: Window::between(day.start, day.end, limit.zone.clone()),
            why: limit.why.clone(),
            holds_rollbacks: false,
            cause: FreezeCause::DailyLimit { count: limit.count },
        };
        let freezes = self.freezes.iter().cloned().chain([freeze]).collect();
        Some(Self { freezes, ..self.clone() })
    }
}
