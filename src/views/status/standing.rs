//! Where a link stands, from its record alone.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    CommitSha, DeployPurpose, Head, LinkId, PhaseName, PhaseState, PhaseStatus, Quarantine, Request,
    RunOutcome, RunState,
};
use crate::manifest::Want;
use crate::plan::{Contained, Holder};

/// What is recorded of one link.
#[derive(Clone, Copy, Debug)]
pub struct LinkStatus<'a> {
    /// Which.
    pub id: &'a LinkId,
    /// Its old name, where its record is still under that and the next apply moves it.
    pub recorded_as: Option<&'a LinkId>,
    /// What the manifest asks for; `None` if the link is not in it.
    pub asks: Option<&'a Want>,
    /// The commit that this is, where that is known: the record alone does not tell of a branch.
    pub want: Option<&'a CommitSha>,
    /// The tip of its branch, where that is contained in what is live.
    pub contained: Option<&'a Contained>,
    /// Its head.
    pub head: &'a Head,
    /// Who holds its lease.
    pub holder: &'a Holder,
    /// What people asked for and nobody has taken into account.
    pub requests: &'a [Request],
    /// Why all that is not as it seems, where its record cannot be read.
    pub damage: Option<Damage<'a>>,
}

/// Why the record of a link cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct Damage<'a> {
    /// The error in one line.
    pub text: &'a str,
    /// A newer katkit wrote the record, which is as it should be.
    pub is_newer: bool,
}

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// In a word.
    pub kind: StandingKind,
    /// At which phase.
    pub phase: Option<&'a PhaseName>,
    /// Since when, where that is recorded.
    pub since: Option<Timestamp>,
}

/// Where a link stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandingKind {
    /// Something that is recorded of it cannot be understood.
    Damaged,
    /// A newer katkit wrote its record, and this one does not know all of it.
    Newer,
    /// A run failed.
    Failed,
    /// Nobody works on a run that has not ended.
    Interrupted,
    /// The wanted commit must not be deployed here.
    Quarantined,
    /// A person ended the run.
    Cancelled,
    /// The last verified commit is being deployed again.
    RollingBack,
    /// What was deployed is being deployed again, since something else runs.
    Repairing,
    /// Somebody works on a run.
    Running,
    /// Another commit is asked for than the last run was for.
    Pending,
    /// Nothing was ever done here.
    NeverRan,
    /// The commit that the last run was for, or that was found running, is what is asked for.
    UpToDate,
    /// The tip of the branch changes nothing that the link watches: what is live is what is asked for.
    Contained,
    /// The link is not in the manifest any more.
    Left,
}

impl StandingKind {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Newer => "newer record",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Quarantined => "quarantined",
            Self::Cancelled => "cancelled",
            Self::RollingBack => "rolling back",
            Self::Repairing => "repairing",
            Self::Running => "running",
            Self::Pending => "pending",
            Self::NeverRan => "never ran",
            Self::UpToDate => "up to date",
            Self::Contained => "contained",
            Self::Left => "left the manifest",
        }
    }
}

impl<'a> LinkStatus<'a> {
    /// Where it stands.
    pub fn standing(&self) -> Standing<'a> {
        let standing = self.of_record();
        match self.contained {
            Some(_) if standing.kind == StandingKind::UpToDate => {
                Standing { kind: StandingKind::Contained, ..standing }
            }
            _ => standing,
        }
    }

    fn of_record(&self) -> Standing<'a> {
        let Head { deployed, deploying, run, .. } = self.head;
        if let Some(damage) = self.damage {
            let kind = if damage.is_newer { StandingKind::Newer } else { StandingKind::Damaged };
            return plain(kind, None);
        }
        let held = matches!(self.holder, Holder::Other(_));
        if self.asks.is_none() {
            return plain(StandingKind::Left, None);
        }
        if let Some(deploying) =
            deploying.as_ref().filter(|deploying| deploying.purpose != DeployPurpose::Upgrade)
        {
            let kind = match (held, deploying.purpose) {
                (false, _) => StandingKind::Interrupted,
                (true, DeployPurpose::Repair) => StandingKind::Repairing,
                (true, _) => StandingKind::RollingBack,
            };
            return plain(kind, Some(deploying.started));
        }
        let Some(run) = run else { return self.without_run() };
        if let Some(quarantine) = self.quarantine(run).filter(|_| run.ended.is_some()) {
            return plain(StandingKind::Quarantined, Some(quarantine.since));
        }
        let Some((ended, outcome)) = run.ended else { return open(run, held) };
        if let Some(want) = self.want.filter(|want| **want != run.sha) {
            let live = deployed.as_ref().filter(|deployed| deployed.sha == *want);
            if let Some(deployed) = live.filter(|_| self.head.evidence(want).is_some()) {
                return plain(StandingKind::UpToDate, Some(deployed.at));
            }
            return plain(StandingKind::Pending, Some(ended));
        }
        match outcome {
            RunOutcome::Failed => {
                let failed = run.phases.iter().find(|phase| phase.status == PhaseStatus::Failed);
                at(StandingKind::Failed, failed, Some(ended))
            }
            RunOutcome::Cancelled => plain(StandingKind::Cancelled, Some(ended)),
            RunOutcome::Superseded => plain(StandingKind::Pending, Some(ended)),
            RunOutcome::Succeeded => {
                let deploys =
                    run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
                let runs = deployed.as_ref().is_some_and(|deployed| deployed.sha == run.sha);
                let kind = if runs || !deploys { StandingKind::UpToDate } else { StandingKind::Pending };
                plain(kind, Some(ended))
            }
        }
    }

    /// The commit that is asked for, where it is quarantined.
    pub(super) fn quarantined(&self) -> Option<&'a CommitSha> {
        let quarantine = self.quarantine(self.head.run.as_ref()?)?;
        Some(&quarantine.sha)
    }

    fn without_run(&self) -> Standing<'a> {
        let Some(deployed) = &self.head.deployed else { return plain(StandingKind::NeverRan, None) };
        match self.want {
            Some(want) if *want != deployed.sha => plain(StandingKind::Pending, None),
            Some(_) | None => plain(StandingKind::UpToDate, Some(deployed.at)),
        }
    }

    fn quarantine(&self, run: &RunState) -> Option<&'a Quarantine> {
        // Where it is not known what a branch points to, the last run tells what it was.
        self.head.quarantine(self.want.unwrap_or(&run.sha))
    }
}

fn open(run: &RunState, held: bool) -> Standing<'_> {
    if !held {
        let done =
            |phase: &&PhaseState| !matches!(phase.status, PhaseStatus::Succeeded | PhaseStatus::Skipped);
        let last = run.phases.iter().filter_map(|phase| phase.finished().max(phase.began())).max();
        return at(StandingKind::Interrupted, run.phases.iter().find(done), last.or(Some(run.started)));
    }
    let running = run.phases.iter().find(|phase| phase.status == PhaseStatus::Running);
    let since = running.map_or(Some(run.started), PhaseState::began);
    at(StandingKind::Running, running, since)
}

fn at(kind: StandingKind, phase: Option<&PhaseState>, since: Option<Timestamp>) -> Standing<'_> {
    Standing { kind, phase: phase.map(|phase| &phase.name), since }
}

fn plain<'a>(kind: StandingKind, since: Option<Timestamp>) -> Standing<'a> {
    Standing { kind, phase: None, since }
}
