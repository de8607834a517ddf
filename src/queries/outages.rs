//! Decides whether a wait is over: everything arrived, something needs a user, or is unreachable for too long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::LinkId;
use crate::plan::Arrival;

/// How long something may stay unreachable before a wait fails.
pub const MAX_OUTAGE: Duration = Duration::from_mins(1);

/// How far a wait is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitState {
    /// Every link reached the goal.
    Arrived,
    /// A link needs user action, or was unreachable for [`MAX_OUTAGE`].
    Failed,
    /// Links may still reach the goal without user action.
    Waiting {
        /// How many links have not reached it.
        missing: usize,
        /// Whether one of them could not be inspected.
        is_unreachable: bool,
    },
}

/// Since when each link, or the record, has been unreachable. All times are of one monotonic clock.
#[derive(Debug, Default)]
pub struct OutageTimers(BTreeMap<Unreachable, Duration>);

/// What is unreachable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unreachable {
    Record,
    Link(LinkId),
}

impl OutageTimers {
    /// How far the wait is after the links were inspected at `now`.
    pub fn judge(&mut self, links: &BTreeMap<LinkId, Arrival>, now: Duration) -> WaitState {
        let unreachable = links.iter().filter(|(_, arrival)| arrival.may_pass());
        let unreachable: BTreeSet<_> = unreachable.map(|(link, _)| Unreachable::Link(link.clone())).collect();
        let needs_user = |arrival: &Arrival| match arrival {
            Arrival::Stopped(_) => true,
            Arrival::Held(_) => !arrival.may_pass(),
            Arrival::Arrived(_) | Arrival::Contained { .. } | Arrival::OnTheWay(_) => false,
        };
        if self.is_over(&unreachable, now) || links.values().any(needs_user) {
            return WaitState::Failed;
        }
        match links.values().filter(|arrival| !arrival.is_there()).count() {
            0 => WaitState::Arrived,
            missing => WaitState::Waiting { missing, is_unreachable: !unreachable.is_empty() },
        }
    }

    /// Notes that the record could not be read at `now`. Returns whether that has lasted too long.
    pub fn is_record_lost(&mut self, now: Duration) -> bool {
        self.is_over(&BTreeSet::from([Unreachable::Record]), now)
    }

    /// Notes what is unreachable now. Returns whether an outage has lasted too long.
    fn is_over(&mut self, unreachable: &BTreeSet<Unreachable>, now: Duration) -> bool {
        self.0.retain(|it, _| unreachable.contains(it));
        for it in unreachable {
            self.0.entry(it.clone()).or_insert(now);
        }
        self.0.values().any(|since| now.saturating_sub(*since) >= MAX_OUTAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Problem;

    fn links(arrivals: &[(&str, Arrival)]) -> BTreeMap<LinkId, Arrival> {
        arrivals.iter().map(|(link, arrival)| (link.parse().unwrap(), arrival.clone())).collect()
    }

    fn unreachable() -> Arrival {
        Arrival::Held(Problem { what: "the host did not answer".to_owned(), hint: None }.into())
    }

    fn judged(timers: &mut OutageTimers, arrivals: &[(&str, Arrival)], second: u64) -> WaitState {
        timers.judge(&links(arrivals), Duration::from_secs(second))
    }

    #[test]
    fn a_wait_ends_when_all_links_arrived_or_one_needs_a_user() {
        let mut timers = OutageTimers::default();
        let (there, coming) = (Arrival::Arrived(None), Arrival::OnTheWay("`build` is running".to_owned()));
        let stopped = Arrival::Stopped(Problem { what: "no commit is wanted here".to_owned(), hint: None });
        let waiting = WaitState::Waiting { missing: 1, is_unreachable: false };
        let mut judge = |second| judged(&mut timers, &[("dev/shop", there.clone()), ("dev/web", second)], 0);
        assert_eq!(judge(there.clone()), WaitState::Arrived);
        assert_eq!(judge(coming), waiting);
        assert_eq!(judge(stopped), WaitState::Failed);
        assert_eq!(judged(&mut timers, &[], 0), WaitState::Arrived);
    }

    #[test]
    fn an_outage_fails_the_wait_after_a_minute_without_an_answer() {
        let mut timers = OutageTimers::default();
        let waiting = WaitState::Waiting { missing: 1, is_unreachable: true };
        let coming = || [("dev/shop", Arrival::OnTheWay("no process is working on it".to_owned()))];
        let lost = || [("dev/shop", unreachable())];
        assert_eq!(judged(&mut timers, &lost(), 0), waiting);
        assert_eq!(judged(&mut timers, &lost(), 59), waiting);
        // An answer ends the outage.
        let answered = WaitState::Waiting { missing: 1, is_unreachable: false };
        assert_eq!(judged(&mut timers, &coming(), 60), answered);
        assert_eq!(judged(&mut timers, &lost(), 61), waiting);
        assert_eq!(judged(&mut timers, &lost(), 120), waiting);
        assert_eq!(judged(&mut timers, &lost(), 121), WaitState::Failed);
    }

    #[test]
    fn the_outage_of_one_link_is_not_counted_for_another() {
        let mut timers = OutageTimers::default();
        let there = || Arrival::Arrived(None);
        let waiting = WaitState::Waiting { missing: 1, is_unreachable: true };
        assert_eq!(judged(&mut timers, &[("dev/shop", unreachable()), ("dev/web", there())], 0), waiting);
        assert_eq!(judged(&mut timers, &[("dev/shop", there()), ("dev/web", unreachable())], 60), waiting);
        assert!(!timers.is_record_lost(Duration::from_secs(121)), "it is unreachable only now");
        assert!(timers.is_record_lost(Duration::from_secs(181)));
    }
}
