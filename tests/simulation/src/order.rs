//! The legal order of journal events, written a second time and differently from katkit's own fold: catches a fold that
//! accepts an illegal transition.

use std::collections::BTreeSet;

use katkit::domain::{AttemptNumber, Event, PhaseName, RecordedEvent, RequestKind, RunId, Token};

/// State of a journal read so far.
#[derive(Debug, Default)]
struct Reader {
    generation: u64,
    /// The open run.
    run: Option<RunId>,
    /// The last closed run.
    last: Option<RunId>,
    /// Whether a request may have reopened the last run.
    perhaps_open: bool,
    intended: BTreeSet<(PhaseName, AttemptNumber)>,
    launched: BTreeSet<(PhaseName, AttemptNumber)>,
    ended: BTreeSet<(PhaseName, AttemptNumber)>,
    deploying: Option<Token>,
    issued: bool,
}

/// The first illegal transition, as text.
pub fn illegal(journal: &[RecordedEvent]) -> Option<String> {
    let mut reader = Reader::default();
    journal.iter().find_map(|recorded| {
        let wrong = reader.read(recorded)?;
        Some(format!("event {} (`{}`): {wrong}", recorded.generation, recorded.event.word()))
    })
}

impl Reader {
    /// The problem with the next event, if any.
    fn read(&mut self, recorded: &RecordedEvent) -> Option<&'static str> {
        self.generation += 1;
        if recorded.generation.0 != self.generation {
            return Some("the events before it are missing");
        }
        let busy = !self.intended.is_empty() || !self.ended.is_empty() || self.deploying.is_some();
        let wrong = |condition: bool, why| condition.then_some(why);
        match &recorded.event {
            Event::RunStarted { run, .. } => {
                let open = self.run.replace(run.clone()).is_some();
                self.perhaps_open = false;
                wrong(open || busy, "another run is open, or something is in flight")
            }
            Event::AttemptIntended { phase, attempt, .. } => {
                let twice = self.of(phase) || !self.intended.insert((phase.clone(), *attempt));
                let closed = self.run.is_none() && !self.perhaps_open;
                wrong(twice || closed, "no run is open, or an attempt at the phase is in flight")
            }
            Event::AttemptLaunched { phase, attempt, .. } => {
                let of = (phase.clone(), *attempt);
                let known = self.intended.contains(&of);
                wrong(!known || !self.launched.insert(of), "it was not intended, or it was launched before")
            }
            Event::AttemptEnded { phase, attempt, outcome } => {
                let of = (phase.clone(), *attempt);
                let (known, launched) = (self.intended.remove(&of), self.launched.remove(&of));
                self.ended.insert(of);
                wrong(!known || outcome.is_success() && !launched, "it was not intended, or never launched")
            }
            Event::ServiceRemoved { phase, attempt } => {
                wrong(!self.ended.remove(&(phase.clone(), *attempt)), "it had not ended")
            }
            Event::DeployIntended { token, .. } => {
                self.issued = false;
                wrong(self.deploying.replace(token.clone()).is_some(), "another deployment is in flight")
            }
            Event::DeployIssued { token, .. } => {
                let twice = std::mem::replace(&mut self.issued, true);
                wrong(
                    twice || self.deploying.as_ref() != Some(token),
                    "it was not intended, or issued before",
                )
            }
            Event::DeployEnded { token, .. } => {
                wrong(self.deploying.take().as_ref() != Some(token), "it was not in flight")
            }
            Event::RunEnded { run, .. } => {
                let open = self.run.take().or(self.last.take().filter(|_| self.perhaps_open));
                let other = open.as_ref() != Some(run);
                self.last = Some(run.clone());
                self.perhaps_open = false;
                wrong(other || busy, "it was not open, or something of it is in flight")
            }
            Event::Requested {
                ask: RequestKind::Retry { .. } | RequestKind::Skip { .. } | RequestKind::Release { .. },
                ..
            }
            | Event::PhaseSkipped { .. }
            | Event::PhaseRestored { .. } => {
                self.perhaps_open = true;
                None
            }
            Event::Verified { run, .. } => {
                let other = self.run.is_some() || self.last.as_ref() != Some(run);
                wrong(other, "the run is not the last one, or has not ended")
            }
            Event::Requested { .. }
            | Event::Refused { .. }
            | Event::Withdrawn { .. }
            | Event::TakenOver { .. }
            | Event::Unlocked { .. } => None,
            Event::Adopted { .. }
            | Event::Quarantined { .. }
            | Event::ServiceSwept { .. }
            | Event::ImagesRecorded { .. }
            | Event::Forgotten
            | Event::MovedFrom { .. }
            | Event::MovedTo { .. }
            | Event::Pruned { .. } => None,
        }
    }

    fn of(&self, phase: &PhaseName) -> bool {
        self.intended.iter().chain(&self.ended).any(|(other, _)| other == phase)
    }
}
