//! The state of a link, derived from its record alone.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    CommitSha, DeployPurpose, Head, LinkId, PhaseName, PhaseState, PhaseStatus, Quarantine, Request,
    RunOutcome, RunState,
};
use crate::manifest::Wanted;
use crate::plan::{ClosedGate, Contained, Holder};

/// The recorded facts about one link.
#[derive(Clone, Copy, Debug)]
pub struct LinkStatus<'a> {
    /// The link.
    pub id: &'a LinkId,
    /// The old name that still holds the record until the next apply moves it.
    pub recorded_as: Option<&'a LinkId>,
    /// How the manifest names the wanted commit; `None` if the link is not in the manifest.
    pub asks: Option<&'a Wanted>,
    /// The wanted commit, if known: the record alone does not resolve a branch.
    pub want: Option<&'a CommitSha>,
    /// The tip of its branch, if the live commit contains it.
    pub contained: Option<&'a Contained>,
    /// Its recorded head.
    pub head: &'a Head,
    /// The holder of its lease.
    pub holder: &'a Holder,
    /// Whether its tenant has a policy, so that a run without a process waits at its deployment.
    pub has_policy: bool,
    /// Why the policy holds deployments now, if it does.
    pub gate: Option<&'a ClosedGate>,
    /// Pending requests.
    pub requests: &'a [Request],
    /// Set if the record cannot be read; the other fields are then unreliable.
    pub damage: Option<Damage<'a>>,
}

/// Why the record of a link cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct Damage<'a> {
    /// The error, in one line.
    pub text: &'a str,
    /// A newer katkit wrote the record, which is therefore not damaged.
    pub is_newer: bool,
}

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState<'a> {
    /// The kind of state.
    pub kind: LinkStateKind,
    /// The phase it refers to, if any.
    pub phase: Option<&'a PhaseName>,
    /// When the link entered it, if recorded.
    pub since: Option<Timestamp>,
}

/// The kinds of state, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkStateKind {
    /// Part of the record cannot be parsed.
    Damaged,
    /// A newer katkit wrote the record, and this build does not understand all of it.
    Newer,
    /// The run failed.
    Failed,
    /// The run has not ended, and no live process is working on it.
    Interrupted,
    /// The wanted commit must not be deployed here.
    Quarantined,
    /// The run was cancelled.
    Cancelled,
    /// A rollback to a verified commit is in progress.
    RollingBack,
    /// The deployed commit is being deployed again, because something else is running.
    Repairing,
    /// A process is working on the run.
    Running,
    /// The deployment waits for the policy of the tenant; the phases before it are done.
    Waiting,
    /// The last test of a pull request failed, which holds nothing: what is live is the wanted commit.
    TestFailed,
    /// The wanted commit is not the one of the last run.
    Pending,
    /// Nothing ran or was deployed here yet.
    NeverRan,
    /// The wanted commit is the one of the last run, or was found running.
    UpToDate,
    /// The tip of the branch changes nothing that the link watches: the live commit counts as the wanted one.
    Contained,
    /// The link is no longer in the manifest.
    Left,
}

impl LinkStateKind {
    /// The state as text.
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
            Self::Waiting => "waiting",
            Self::TestFailed => "test failed",
            Self::Pending => "pending",
            Self::NeverRan => "never ran",
            Self::UpToDate => "up to date",
            Self::Contained => "contained",
            Self::Left => "left the manifest",
        }
    }
}

impl<'a> LinkStatus<'a> {
    /// The state of the link.
    pub fn link_state(&self) -> LinkState<'a> {
        let link_state = self.of_record();
        match self.contained {
            Some(_) if link_state.kind == LinkStateKind::UpToDate => {
                LinkState { kind: LinkStateKind::Contained, ..link_state }
            }
            _ => link_state,
        }
    }

    fn of_record(&self) -> LinkState<'a> {
        let Head { deployed, deploying, run, .. } = self.head;
        if let Some(damage) = self.damage {
            let kind = if damage.is_newer { LinkStateKind::Newer } else { LinkStateKind::Damaged };
            return plain(kind, None);
        }
        let held = matches!(self.holder, Holder::Other(_));
        if self.asks.is_none() {
            return plain(LinkStateKind::Left, None);
        }
        if let Some(deploying) =
            deploying.as_ref().filter(|deploying| deploying.purpose != DeployPurpose::Upgrade)
        {
            let kind = match (held, deploying.purpose) {
                (false, _) => LinkStateKind::Interrupted,
                (true, DeployPurpose::Repair) => LinkStateKind::Repairing,
                (true, _) => LinkStateKind::RollingBack,
            };
            return plain(kind, Some(deploying.started));
        }
        let Some(run) = run else { return self.without_run() };
        if let Some((ended, outcome)) = run.ended
            && run.merges().is_some()
            && outcome != RunOutcome::Superseded
        {
            return self.tested(outcome, ended);
        }
        if let Some(quarantine) = self.quarantine(run).filter(|_| run.ended.is_some()) {
            return plain(LinkStateKind::Quarantined, Some(quarantine.since));
        }
        let Some((ended, outcome)) = run.ended else { return self.open(run, held) };
        if let Some(want) = self.want.filter(|want| **want != run.sha) {
            let live = deployed.as_ref().filter(|deployed| deployed.sha == *want);
            if let Some(deployed) = live.filter(|_| self.head.evidence(want).is_some()) {
                return plain(LinkStateKind::UpToDate, Some(deployed.at));
            }
            return plain(LinkStateKind::Pending, Some(ended));
        }
        match outcome {
            RunOutcome::Failed => {
                let failed = run.phases.iter().find(|phase| phase.status == PhaseStatus::Failed);
                at(LinkStateKind::Failed, failed, Some(ended))
            }
            RunOutcome::Cancelled => plain(LinkStateKind::Cancelled, Some(ended)),
            RunOutcome::Superseded => plain(LinkStateKind::Pending, Some(ended)),
            RunOutcome::Succeeded => {
                let deploys =
                    run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
                let runs = deployed.as_ref().is_some_and(|deployed| deployed.sha == run.sha);
                let kind = if runs || !deploys { LinkStateKind::UpToDate } else { LinkStateKind::Pending };
                plain(kind, Some(ended))
            }
        }
    }

    /// After the test of a pull request, whose commit is not the wanted one.
    fn tested(&self, outcome: RunOutcome, ended: Timestamp) -> LinkState<'a> {
        let live = self.head.deployed.as_ref();
        if self.want.is_some_and(|want| live.is_some_and(|live| live.sha != *want)) {
            return plain(LinkStateKind::Pending, Some(ended));
        }
        match outcome {
            RunOutcome::Failed => plain(LinkStateKind::TestFailed, Some(ended)),
            _ => plain(LinkStateKind::UpToDate, Some(live.map_or(ended, |live| live.at))),
        }
    }

    fn open(&self, run: &'a RunState, held: bool) -> LinkState<'a> {
        if held {
            let running = run.phases.iter().find(|phase| phase.status == PhaseStatus::Running);
            let since = running.map_or(Some(run.started), PhaseState::began);
            return at(LinkStateKind::Running, running, since);
        }
        let last = run.phases.iter().filter_map(|phase| phase.finished().max(phase.began())).max();
        let next = run.phases.iter().find(|phase| !phase.status.is_done());
        let is_waiting = next.is_some_and(|phase| phase.deployment && phase.status == PhaseStatus::Pending);
        let is_left = matches!(self.holder, Holder::Dead(_));
        let kind = match is_waiting && self.has_policy && !is_left {
            true => LinkStateKind::Waiting,
            false => LinkStateKind::Interrupted,
        };
        at(kind, next, last.or(Some(run.started)))
    }

    /// The wanted commit, if it is quarantined.
    pub(super) fn quarantined(&self) -> Option<&'a CommitSha> {
        let quarantine = self.quarantine(self.head.run.as_ref()?)?;
        Some(&quarantine.sha)
    }

    fn without_run(&self) -> LinkState<'a> {
        let Some(deployed) = &self.head.deployed else { return plain(LinkStateKind::NeverRan, None) };
        match self.want {
            Some(want) if *want != deployed.sha => plain(LinkStateKind::Pending, None),
            Some(_) | None => plain(LinkStateKind::UpToDate, Some(deployed.at)),
        }
    }

    fn quarantine(&self, run: &RunState) -> Option<&'a Quarantine> {
        // If the tip of the branch is unknown, the commit of the last run stands in for it.
        self.head.quarantine(self.want.unwrap_or(&run.sha))
    }
}

fn at(kind: LinkStateKind, phase: Option<&PhaseState>, since: Option<Timestamp>) -> LinkState<'_> {
    LinkState { kind, phase: phase.map(|phase| &phase.name), since }
}

fn plain<'a>(kind: LinkStateKind, since: Option<Timestamp>) -> LinkState<'a> {
    LinkState { kind, phase: None, since }
}
