//! How long verified commits have been live at a link.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Runs while what is live is verified. The difference of two readings is how long a commit that was verified at the
/// first has soaked: it, or a later commit that was verified, was live for that long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveClock {
    /// What it had counted when it last stopped, in seconds.
    total: u64,
    /// When it last started; `None` while it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

impl LiveClock {
    /// What it shows, in whole seconds. Never less than before, even if the time has been set back.
    pub fn read(&self, at: Timestamp) -> u64 {
        let running = self.since.map_or(0, |since| at.duration_since(since).as_secs());
        self.total + u64::try_from(running).unwrap_or_default()
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// Starts or stops it.
    pub fn set(&mut self, runs: bool, at: Timestamp) {
        match (runs, self.since) {
            (true, None) => self.since = Some(at),
            (false, Some(_)) => *self = Self { total: self.read(at), since: None },
            (true, Some(_)) | (false, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_only_while_it_runs_and_never_goes_back() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut clock = LiveClock::default();
        clock.set(true, at(100));
        clock.set(true, at(110));
        assert_eq!(clock.read(at(130)), 30);
        clock.set(false, at(140));
        assert_eq!((clock.read(at(500)), clock.runs()), (40, false));
        clock.set(true, at(600));
        assert_eq!((clock.read(at(605)), clock.read(at(300))), (45, 40), "the time was set back");
    }
}
