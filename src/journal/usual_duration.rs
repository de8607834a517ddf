//! How long phases and deployments of a link usually take, for users who wait for one.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{AttemptNumber, DeployOutcome, Event, Outcome, PhaseName, RecordedEvent, Token};

/// How many recent durations count.
const LAST: usize = 5;

/// The usual durations: the median of the last successful ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    phases: BTreeMap<PhaseName, Duration>,
    deployment: Option<Duration>,
}

impl Usual {
    /// The durations in a piece of a journal, oldest event first.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a RecordedEvent>) -> Self {
        let mut begun: BTreeMap<&PhaseName, (AttemptNumber, Timestamp)> = BTreeMap::new();
        let mut deploying: Option<(&Token, Timestamp)> = None;
        let mut phases: BTreeMap<&PhaseName, Vec<Duration>> = BTreeMap::new();
        let mut deployments = Vec::new();
        let lasted = |from: Timestamp, to: Timestamp| Duration::try_from(to.duration_since(from)).ok();
        for RecordedEvent { generation: _, at, by: _, event, previous: _ } in events {
            match event {
                Event::AttemptIntended { phase, attempt, .. } => {
                    begun.insert(phase, (*attempt, *at));
                }
                Event::AttemptEnded { phase, attempt, outcome: Outcome::Succeeded } => {
                    let began = begun.get(phase).filter(|(number, _)| number == attempt);
                    phases.entry(phase).or_default().extend(began.and_then(|(_, from)| lasted(*from, *at)));
                }
                Event::DeployIntended { token, .. } => deploying = Some((token, *at)),
                Event::DeployEnded { token, outcome: DeployOutcome::Deployed, .. } => {
                    let began = deploying.filter(|(other, _)| *other == token);
                    deployments.extend(began.and_then(|(_, from)| lasted(from, *at)));
                }
                _ => {}
            }
        }
        let phases = phases.into_iter().filter_map(|(phase, times)| Some((phase.clone(), median(times)?)));
        Self { phases: phases.collect(), deployment: median(deployments) }
    }

    /// How long the phase usually takes, or the deployment if `phase` is `None`; `None` if it never succeeded.
    pub fn lasts(&self, phase: Option<&PhaseName>) -> Option<Duration> {
        phase.map_or(self.deployment, |phase| self.phases.get(phase).copied())
    }
}

/// The median of the last durations; the shorter of two.
fn median(times: Vec<Duration>) -> Option<Duration> {
    let mut last: Vec<_> = times.into_iter().rev().take(LAST).collect();
    last.sort_unstable();
    last.get(last.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_last_durations_counts() {
        let median = |times: &[u64]| median(times.iter().copied().map(Duration::from_secs).collect());
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), seconds(7));
        assert_eq!(median(&[7, 3]), seconds(3));
        assert_eq!(median(&[900, 900, 900, 10, 12, 300, 11, 13]), seconds(12));
    }
}
