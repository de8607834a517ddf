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

impl Window {
    /// The spans that end after `at`, ordered by their starts; endless for a weekly window.
    pub fn spans(&self, at: Timestamp, reading: Reading) -> impl Iterator<Item = Span> + '_ {
        let civil = match &self.times {
            Times::Weekly { nights, .. } => {
                // One more day, as a change of clocks may move the end past midnight.
                let before = i64::from(*nights) + 1;
                at.to_zoned(self.zone().rules().clone()).date().checked_sub(before.days()).ok()
            }
            Times::Once { .. } | Times::Exact { .. } => None,
        };
        let once = match &self.times {
            Times::Once { start, end } => Some((*start, *end)),
            Times::Weekly { .. } | Times::Exact { .. } => None,
        };
        let exact = match &self.times {
            Times::Exact { start, end } if start < end => Some(Span { start: *start, end: *end }),
            Times::Exact { .. } | Times::Weekly { .. } | Times::Once { .. } => None,
        };
        let dates = std::iter::successors(civil, |date| date.tomorrow().ok());
        let weekly = dates.filter_map(move |date| match &self.times {
            Times::Weekly { days, from, to, nights } if days.contain(date.weekday()) => {
                let end = date.checked_add(i64::from(*nights).days()).ok()?;
                Some((date.to_datetime(*from), end.to_datetime(*to)))
            }
            Times::Weekly { .. } | Times::Once { .. } | Times::Exact { .. } => None,
        });
        let read = move |(start, end): (DateTime, DateTime)| self.read(start, end, reading);
        let spans = once.into_iter().chain(weekly).filter_map(read);
        spans.chain(exact).filter(move |span| span.end > at)
    }

    /// The span that contains `at`; if several do, the last one to end.
    pub fn active(&self, at: Timestamp, reading: Reading) -> Option<Span> {
        let started = self.spans(at, reading).take_while(|span| span.start <= at);
        started.max_by_key(|span| span.end)
    }

    /// The first span that starts after `at`.
    pub fn next(&self, at: Timestamp, reading: Reading) -> Option<Span> {
        self.spans(at, reading).find(|span| span.start > at)
    }

    fn read(&self, first: DateTime, last: DateTime, reading: Reading) -> Option<Span> {
        let rules = self.zone().rules();
        let (start, end) = (rules.to_ambiguous_timestamp(first), rules.to_ambiguous_timestamp(last));
        let (start, end) = match reading {
            Reading::Longest => (start.earlier(), end.later()),
            Reading::Shortest => (start.later(), end.earlier()),
        };
        let start = start.unwrap_or_else(|_| beyond(first));
        let end = end.unwrap_or_else(|_| beyond(last));
        (start < end).then_some(Span { start, end })
    }
}

/// The instant that stands for a time that no timestamp can hold, such as `9999-12-31 23:59`.
fn beyond(at: DateTime) -> Timestamp {
    if at.year() > 0 { Timestamp::MAX } else { Timestamp::MIN }
}
