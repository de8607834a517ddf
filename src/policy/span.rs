//! The spans of time that a window covers.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::DateTime;

use super::window::{Times, Window};

/// A span of time, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// How a civil time is read that the zone skips or repeats when it changes its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The window starts as early and ends as late as its times can mean.
    Longest,
    /// The window starts as late and ends as early as its times can mean. It may not occur at all on that day.
    Shortest,
}

impl Span {
    /// Whether an instant is in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

impl Window {
    /// The spans that end after `at`, ordered by their starts; endless for a weekly window.
    pub fn spans(&self, at: Timestamp, reading: Reading) -> impl Iterator<Item = Span> + '_ {
        let civil = match &self.times {
            Times::Weekly { nights, .. } => {
                // One more day, as a change of clocks may move the end past midnight.
                let before = i64::from(*nights) + 1;
                at.to_zoned(self.zone().rules().clone()).date().checked_sub(before.days()).ok()
            }
            Times::Once { .. } => None,
        };
        let once = match &self.times {
            Times::Once { start, end } => Some((*start, *end)),
            Times::Weekly { .. } => None,
        };
        let dates = std::iter::successors(civil, |date| date.tomorrow().ok());
        let weekly = dates.filter_map(move |date| match &self.times {
            Times::Weekly { days, from, to, nights } if days.contain(date.weekday()) => {
                let end = date.checked_add(i64::from(*nights).days()).ok()?;
                Some((date.to_datetime(*from), end.to_datetime(*to)))
            }
            Times::Weekly { .. } | Times::Once { .. } => None,
        });
        let read = move |(start, end): (DateTime, DateTime)| self.read(start, end, reading);
        once.into_iter().chain(weekly).filter_map(read).filter(move |span| span.end > at)
    }

    /// The span that contains `at`, if any. Of several, the one that ends last.
    pub fn active(&self, at: Timestamp, reading: Reading) -> Option<Span> {
        let started = self.spans(at, reading).take_while(|span| span.start <= at);
        started.max_by_key(|span| span.end)
    }

    /// The first span that starts after `at`.
    pub fn next(&self, at: Timestamp, reading: Reading) -> Option<Span> {
        self.spans(at, reading).find(|span| span.start > at)
    }

    fn read(&self, start: DateTime, end: DateTime, reading: Reading) -> Option<Span> {
        let (start, end) = (
            self.zone().rules().to_ambiguous_timestamp(start),
            self.zone().rules().to_ambiguous_timestamp(end),
        );
        let (start, end) = match reading {
            Reading::Longest => (start.earlier(), end.later()),
            Reading::Shortest => (start.later(), end.earlier()),
        };
        // Beyond what can be represented at either end of time: `9999-12-31 23:59`.
        let start = start.unwrap_or(Timestamp::MIN);
        let end = end.unwrap_or(Timestamp::MAX);
        (start < end).then_some(Span { start, end })
    }
}
