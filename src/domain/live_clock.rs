//! How long verified commits have been live at a link.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Runs while what is live is verified. The difference of two readings is how long a commit that was verified at the
/// first has soaked: it, or a later commit that was verified, was live for that long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveClock {
    /// What it had counted when it last stopped, in seconds.
    total: u64,
    /// When it last started; `None` while it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// When it stood still since the oldest evidence, oldest first; see [`LiveClock::pauses`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pauses: Vec<Pause>,
}

/// A time during which a clock stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// When it stopped.
    pub from: Timestamp,
    /// When it started again; `None` if it still stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl LiveClock {
    /// How many pauses it remembers. Beyond that, the two oldest become one, with the time between them.
    pub const PAUSES: usize = 30;

    /// What it shows, in whole seconds. Never less than before, even if the time has been set back.
    pub fn read(&self, at: Timestamp) -> u64 {
        let running = self.since.map_or(0, |since| at.duration_since(since).as_secs());
        self.total + u64::try_from(running).unwrap_or_default()
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// When it stood still, oldest first. Where the record does not say, pauses are longer than they were, never shorter.
    pub fn pauses(&self) -> impl Iterator<Item = Pause> {
        self.unknown().into_iter().chain(self.pauses.iter().copied())
    }

    /// Starts or stops it.
    pub fn set(&mut self, runs: bool, at: Timestamp) {
        match (runs, self.since) {
            (true, None) => {
                self.pauses.extend(self.unknown());
                self.since = Some(at);
                if let Some(last) = self.pauses.last_mut() {
                    last.to = last.to.or(Some(at));
                }
            }
            (false, Some(_)) => {
                self.pauses.extend(self.unknown());
                (self.total, self.since) = (self.read(at), None);
                self.pauses.push(Pause { from: at, to: None });
                while self.pauses.len() > Self::PAUSES {
                    let oldest = self.pauses.remove(0);
                    self.pauses[0].from = oldest.from;
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// A clock that has stopped before, and remembers no pause: they ended before the oldest evidence, or an older build
    /// did not write them down. Then it may have stood still until it last started.
    fn unknown(&self) -> Option<Pause> {
        let is_unknown = self.pauses.is_empty() && self.total > 0;
        is_unknown.then_some(Pause { from: Timestamp::UNIX_EPOCH, to: self.since })
    }

    /// Forgets the pauses that ended before the oldest evidence.
    pub fn forget_before(&mut self, oldest: Timestamp) {
        self.pauses.retain(|pause| pause.to.is_none_or(|end| end > oldest));
    }

    /// Whether both show the same. Older builds remembered no pauses.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.total, self.since) == (other.total, other.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pauses(clock: &LiveClock) -> Vec<(i64, Option<i64>)> {
        clock.pauses().map(|pause| (pause.from.as_second(), pause.to.map(Timestamp::as_second))).collect()
    }

    #[test]
    fn it_counts_only_while_it_runs_and_never_goes_back() {
        let mut clock = LiveClock::default();
        clock.set(true, at(100));
        clock.set(true, at(110));
        assert_eq!(clock.read(at(130)), 30);
        clock.set(false, at(140));
        assert_eq!((clock.read(at(500)), clock.runs()), (40, false));
        clock.set(true, at(600));
        assert_eq!((clock.read(at(605)), clock.read(at(300))), (45, 40), "the time was set back");
        assert_eq!(pauses(&clock), [(140, Some(600))]);
    }

    #[test]
    fn pauses_are_forgotten_with_the_evidence_before_them() {
        let mut clock = LiveClock::default();
        for start in [0, 100, 200] {
            clock.set(true, at(start));
            clock.set(false, at(start + 50));
        }
        clock.forget_before(at(100));
        assert_eq!(pauses(&clock), [(150, Some(200)), (250, None)]);
    }

    #[test]
    fn pauses_grow_rather_than_shrink_where_they_are_not_known() {
        let mut old: LiveClock = serde_json::from_str(r#"{ "total": 40 }"#).unwrap();
        old.set(true, at(600));
        assert_eq!(pauses(&old), [(0, Some(600))]);
        let mut runs: LiveClock =
            serde_json::from_str(r#"{ "total": 40, "since": "1970-01-01T00:10:00Z" }"#).unwrap();
        assert_eq!(pauses(&runs), [(0, Some(600))]);
        runs.set(false, at(700));
        runs.set(true, at(800));
        assert_eq!(pauses(&runs), [(0, Some(600)), (700, Some(800))]);
        let mut clock = LiveClock::default();
        let many = i64::try_from(LiveClock::PAUSES).unwrap() + 3;
        for number in 0..many {
            clock.set(true, at(10 * number));
            clock.set(false, at(10 * number + 5));
        }
        assert_eq!(pauses(&clock).len(), LiveClock::PAUSES);
        assert_eq!(pauses(&clock)[0], (5, Some(40)));
    }
}
