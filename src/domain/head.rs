//! The state of a link: what is deployed, what was verified, and the progress of the current run.
//!
//! Only folding a journal makes a head; see `crate::journal`.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    AttemptState, Barrier, Cancellation, CommitSha, DeployPurpose, DeploymentName, EntryDigest, FormerName,
    Generation, ImageDigest, Images, LinkId, LiveClock, PhaseName, PhaseState, Promotion, Pruned,
    PullRequestTests, Quarantine, RunId, RunOutcome, StartedTest, Token,
};

/// The fold of a link's journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The number of events folded into it.
    pub generation: Generation,
    /// The digest of the last of them; `None` if an older katkit recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<EntryDigest>,
    /// What runs, as far as katkit knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Deployment>,
    /// The last commits verified here, oldest first; at most [`Head::VERIFIED`], and as many merges of tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "exact")]
    pub verified: Vec<Evidence>,
    /// How long what is live has been verified, once anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_clock: Option<LiveClock>,
    /// When upgrades were intended, oldest first: the last one and those of the two days before it, at most
    /// [`Head::UPGRADES`]. Those that ended before anything was issued are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "exact")]
    pub upgrades: Vec<Timestamp>,
    /// A deployment that was intended and has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploying: Option<Box<DeployState>>,
    /// The run in progress, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunState>,
    /// Commits that must not be deployed here, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantine>,
    /// The commit that an actor chose, until a commit is verified or the chosen one is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Box<Promotion>>,
    /// The tests of pull requests here, once there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Box<PullRequestTests>>,
    /// The link left the manifest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
    /// The link's former names, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<FormerName>,
    /// The new name that this record continues under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<LinkId>,
    /// The last prune, which says what no longer exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Box<Pruned>>,
}

/// A deployment that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The deployed commit.
    pub sha: CommitSha,
    /// When it ended.
    pub at: Timestamp,
    /// The image of every role it rolled.
    #[serde(deserialize_with = "super::images::exact")]
    pub images: Images,
    /// The platform's name for it.
    pub revision: String,
    /// The token it was issued under; `None` if it was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// What it brought that must not be undone: no rollback goes back to what was deployed before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<Box<Barrier>>,
}

/// Evidence that a commit is good here: in its run every phase succeeded or was waived by the manifest, and what it
/// deployed was live then. What ran when katkit adopted the link counts as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The verified commit.
    pub sha: CommitSha,
    /// When it was verified.
    pub at: Timestamp,
    /// The run that verified it; `None` if it was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What was deployed then; `None` if the run deployed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
    /// What [`Head::live_clock`] showed then.
    #[serde(default, skip_serializing_if = "is_zero_seconds")]
    pub clock: u64,
    /// The phases of the run that built images, or whose images were reused.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "exact")]
    pub built_by: Vec<PhaseName>,
}

/// A deployment in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployState {
    /// Makes issuing twice harmless.
    pub token: Token,
    /// Why it is deployed.
    pub purpose: DeployPurpose,
    /// The commit being deployed.
    pub sha: CommitSha,
    /// The image of every role it rolls.
    #[serde(deserialize_with = "super::images::exact")]
    pub images: Images,
    /// When it was intended.
    pub started: Timestamp,
    /// The commit that it brings and that must not be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<CommitSha>,
    /// The platform's name for it, once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<DeploymentName>,
}

/// One run of a link's workflow for one sha.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// Unique in its link.
    pub id: RunId,
    /// The commit it runs for.
    pub sha: CommitSha,
    /// When it started.
    pub started: Timestamp,
    /// When and how it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Timestamp, RunOutcome)>,
    /// [`super::Workflow::digest`] of its workflow.
    pub workflow: String,
    /// Its phases, ascending by order.
    #[serde(deserialize_with = "exact")]
    pub phases: Vec<PhaseState>,
    /// The phase that a retry requested and this run lacks, because it was added later: the next run for the commit
    /// keeps what succeeded before and beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on_with: Option<PhaseName>,
    /// Who cancelled it, if anyone did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Box<Cancellation>>,
    /// The granted test, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Box<StartedTest>>,
}

/// Drops spare capacity: heads are read by the thousand, and few of them grow.
fn exact<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let mut list = Vec::deserialize(deserializer)?;
    list.shrink_to_fit();
    Ok(list)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero_seconds(number: &u64) -> bool {
    *number == 0
}

impl Head {
    /// The run that has not ended.
    pub fn open_run(&self) -> Option<&RunState> {
        self.run.as_ref().filter(|run| run.ended.is_none())
    }

    /// The attempts whose services may still be in a fleet.
    pub fn unremoved(&self) -> impl Iterator<Item = (&PhaseState, &AttemptState)> {
        let phases = self.run.iter().flat_map(|run| &run.phases);
        phases.filter_map(|phase| Some((phase, phase.attempt.as_deref().filter(|attempt| !attempt.removed)?)))
    }

    /// How many verified commits of a kind a head remembers, which limits the rollbacks in a row.
    pub const VERIFIED: usize = 10;

    /// How many upgrades a head remembers, which limits how many a policy can allow a day.
    pub const UPGRADES: u32 = 50;

    /// The upgrades that count now: [`Head::upgrades`] without an upgrade in flight. A plan assumes that nothing was issued
    /// for that, so it must not count against itself.
    pub fn settled_upgrades(&self) -> &[Timestamp] {
        let in_flight = self.deploying.as_ref().map(|deploying| deploying.started);
        match self.upgrades.split_last() {
            Some((last, before)) if Some(*last) == in_flight => before,
            _ => &self.upgrades,
        }
    }

    /// Whether `sha` is what is deployed.
    pub fn runs(&self, sha: &CommitSha) -> bool {
        self.deployed.as_ref().is_some_and(|deployed| deployed.sha == *sha)
    }

    /// The evidence that `sha` was verified here, unless a rollback has withdrawn it.
    pub fn evidence(&self, sha: &CommitSha) -> Option<&Evidence> {
        self.verified.iter().find(|evidence| evidence.sha == *sha)
    }

    /// What a rollback deploys: the last commit verified here before the deployed one.
    pub fn rollback_target(&self) -> Option<&Deployment> {
        self.rollback_targets().next().map(|(_, deployment)| deployment)
    }

    /// The rollback target once a run has deployed `sha`, whether or not `sha` was verified here before.
    pub fn rollback_target_after(&self, sha: &CommitSha) -> Option<&Deployment> {
        let mut others = self.verified.iter().rev().filter(|evidence| evidence.sha != *sha);
        let target = others.find_map(|evidence| evidence.deployment.as_ref())?;
        let may = |live: &Deployment| live.sha == target.sha || live.barrier.is_none();
        self.deployed.as_ref().is_none_or(may).then_some(target)
    }

    /// The commits verified here before the deployed one, newest first.
    pub(super) fn verified_before_live(&self) -> impl Iterator<Item = (&Evidence, &Deployment)> {
        self.deployed.iter().flat_map(|deployed| self.verified_before(&deployed.sha))
    }

    fn verified_before(&self, sha: &CommitSha) -> impl Iterator<Item = (&Evidence, &Deployment)> {
        let live = self.verified.iter().position(|evidence| evidence.sha == *sha);
        let before = &self.verified[..live.unwrap_or(self.verified.len())];
        before.iter().rev().filter_map(|evidence| Some((evidence, evidence.deployment.as_ref()?)))
    }

    /// The quarantine of `sha` itself, if any.
    pub fn quarantine(&self, sha: &CommitSha) -> Option<&Quarantine> {
        self.quarantined.iter().find(|quarantine| quarantine.sha == *sha)
    }
}

impl RunState {
    /// The phase with this name.
    pub fn phase(&self, name: &PhaseName) -> Option<&PhaseState> {
        self.phases.iter().find(|phase| phase.name == *name)
    }

    /// The recorded digest of an image. What a phase listed takes precedence over what a registry had.
    pub fn digest_of(&self, image: &str) -> Option<&ImageDigest> {
        let recorded = || self.phases.iter().rev().filter_map(|phase| phase.digests.as_deref());
        let built = recorded().find_map(|digests| digests.built.get(image));
        built.or_else(|| recorded().find_map(|digests| digests.found.get(image)))
    }

    /// Whether the run ended with every phase done or skipped.
    pub fn succeeded(&self) -> bool {
        matches!(self.ended, Some((_, RunOutcome::Succeeded)))
    }
}
