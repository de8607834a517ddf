//! What a journal says about one commit: which run verified it, why that no longer counts, and what was built.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{IllegalMove, fold_onto};
use crate::domain::{
    CommitSha, Event, Evidence, Head, ImageDigests, LinkId, PhaseName, PhaseState, RecordedEvent,
    RequestKind, RunId, RunState,
};

/// What a run of the workflow built for a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The run.
    pub run: RunId,
    /// The commit.
    pub sha: CommitSha,
    /// [`crate::domain::Workflow::digest`] of its workflow.
    pub workflow: String,
    /// The phases that built images, in their order.
    pub phases: Vec<PhaseName>,
    /// The images that they listed.
    pub images: ImageDigests,
    /// When the first of these phases began and the last one ended, as far as the journal still says.
    pub time: Option<(Timestamp, Timestamp)>,
    /// The other images whose digests a registry reported.
    pub found: ImageDigests,
    /// The phases that did not run, and the links that built their images.
    pub reused: Vec<(PhaseName, LinkId)>,
}

/// Why the evidence for a commit no longer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The commit was rolled back.
    RolledBack {
        /// The reason, in one sentence.
        why: String,
    },
    /// A rollback went further back than to this commit.
    PassedOver,
    /// A phase was repeated, and the run failed.
    RunFailed,
    /// Too many other commits were verified since.
    Superseded,
}

/// Follows one commit through a journal.
#[derive(Clone, Debug)]
pub struct CommitHistory {
    sha: CommitSha,
    head: Head,
    verified: Option<RunState>,
    built: Option<RunState>,
    withdrawn: Option<Withdrawal>,
    /// When the last attempt at each phase that succeeded for the commit began and ended. A run that keeps a phase of an
    /// earlier run has no attempt at it.
    attempts: BTreeMap<PhaseName, (Timestamp, Timestamp)>,
}

impl CommitHistory {
    /// Starts at the beginning of a journal, or behind a cut: `base` is the head that the removed events fold into.
    pub fn new(sha: CommitSha, base: Head) -> Self {
        let mut new = Self {
            sha,
            head: Head::default(),
            verified: None,
            built: None,
            withdrawn: None,
            attempts: BTreeMap::new(),
        };
        if let Some(run) = base.run.as_ref().filter(|run| run.sha == new.sha) {
            let evidence = base.evidence(&new.sha).and_then(|evidence| evidence.run.as_ref());
            new.verified = evidence.filter(|verified| **verified == run.id).map(|_| run.clone());
            new.built = run.phases.iter().any(builds).then(|| run.clone());
            new.attempts =
                run.phases.iter().filter_map(|phase| Some((phase.name.clone(), time(phase)?))).collect();
        }
        Self { head: base, ..new }
    }

    /// Takes the next event.
    pub fn take(&mut self, recorded: &RecordedEvent) -> Result<(), IllegalMove> {
        let stood = self.head.evidence(&self.sha).is_some();
        self.head = fold_onto(std::mem::take(&mut self.head), [recorded])?;
        match self.head.evidence(&self.sha).is_some() {
            true => self.withdrawn = None,
            false if stood => self.withdrawn = Some(withdrawal(&recorded.event)),
            false => {}
        }
        let Some(run) = self.head.run.as_ref().filter(|run| run.sha == self.sha) else { return Ok(()) };
        match &recorded.event {
            Event::Verified { .. } => self.verified = Some(run.clone()),
            Event::ImagesRecorded { .. } if run.phases.iter().any(builds) => self.built = Some(run.clone()),
            Event::AttemptEnded { phase, outcome, .. } if outcome.is_success() => {
                let time = run.phase(phase).and_then(time);
                self.attempts.extend(time.map(|time| (phase.clone(), time)));
            }
            _ => {}
        }
        Ok(())
    }

    /// The evidence that the commit was verified, unless it was withdrawn.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.head.evidence(&self.sha)
    }

    /// Why there is no evidence any longer.
    pub fn withdrawal(&self) -> Option<&Withdrawal> {
        self.withdrawn.as_ref()
    }

    /// The run that verified the commit last, as it was then.
    pub fn verified(&self) -> Option<&RunState> {
        self.verified.as_ref()
    }

    /// What the run that verified the commit built. If none did: what the last run built in which any phase did.
    pub fn build(&self) -> Option<Build> {
        let own = || self.head.run.as_ref().filter(|run| run.sha == self.sha);
        let run = self.verified.as_ref().or(self.built.as_ref()).or_else(own)?;
        let building: Vec<_> = run.phases.iter().filter(|phase| builds(phase)).collect();
        let (mut images, mut found) = (ImageDigests::new(), ImageDigests::new());
        for digests in run.phases.iter().filter_map(|phase| phase.digests.as_deref()) {
            images.extend(digests.built.clone());
            found.extend(digests.found.clone());
        }
        found.retain(|image, _| !images.contains_key(image));
        let times = building.iter().map(|phase| self.attempts.get(&phase.name).copied());
        let times: Option<Vec<_>> = times.collect();
        let time = times.and_then(|times| {
            Some((times.iter().map(|time| time.0).min()?, times.iter().map(|time| time.1).max()?))
        });
        let reused = |phase: &PhaseState| Some((phase.name.clone(), LinkId::clone(phase.reused.as_deref()?)));
        Some(Build {
            run: run.id.clone(),
            sha: run.sha.clone(),
            workflow: run.workflow.clone(),
            phases: building.iter().map(|phase| phase.name.clone()).collect(),
            images,
            time,
            found,
            reused: run.phases.iter().filter_map(reused).collect(),
        })
    }
}

/// Whether the phase listed images that it built.
fn builds(phase: &PhaseState) -> bool {
    phase.digests.as_ref().is_some_and(|digests| !digests.built.is_empty())
}

/// When the last attempt at a phase began and ended, if it succeeded.
fn time(phase: &PhaseState) -> Option<(Timestamp, Timestamp)> {
    let attempt = phase
        .attempt
        .as_ref()
        .filter(|attempt| attempt.outcome.as_ref().is_some_and(|it| it.is_success()))?;
    Some((attempt.started, attempt.ended?))
}

/// Why an event withdraws the evidence for a commit.
fn withdrawal(event: &Event) -> Withdrawal {
    match event {
        Event::Quarantined { why, .. } => Withdrawal::RolledBack { why: why.clone() },
        Event::Requested { ask: RequestKind::Rollback { .. }, .. } => Withdrawal::PassedOver,
        Event::RunEnded { .. } => Withdrawal::RunFailed,
        _ => Withdrawal::Superseded,
    }
}
