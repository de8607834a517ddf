//! The recorded state of a link, as `status` shows it for every link and `why` for one.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{RequestJson, RunOutcomeJson, TestMergeJson};
use crate::domain::{
    CommitSha, Deployment, FormerName, Head, Owner, PhaseName, Quarantine, RunId, RunOutcome, RunState,
    StartedTest,
};
use crate::journal::PastRun;
use crate::manifest::Wanted;
use crate::plan::{Contained, Holder};
use crate::views::{LinkState, LinkStateKind, LinkStatus};

/// The recorded state of one link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RecordJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// Former names, oldest first.
    pub formerly: Vec<String>,
    /// The old name that still holds the record until the next apply moves it; null otherwise.
    pub recorded_as: Option<String>,
    /// Whether the link is in the manifest.
    pub in_manifest: bool,
    /// The branch the link follows; null if it follows none.
    pub branch: Option<&'a str>,
    /// The pipeline that chooses the link's commits; null if it follows none.
    pub pipeline: Option<&'a str>,
    /// The wanted commit. Null if there is none or it could not be determined; also null in `status` if the manifest
    /// names a branch, because only a plan reads its repository.
    pub wanted: Option<&'a str>,
    /// The tip of the branch if it changes nothing that the link watches: nothing runs for it, and the live commit
    /// counts as the wanted one. Null if the link watches nothing, the tip changes something watched, or the tip could
    /// not be determined.
    pub contained: Option<ContainedJson<'a>>,
    /// The state, according to the record alone.
    pub state: LinkStateKind,
    /// The phase the state refers to; null if none.
    pub phase: Option<&'a str>,
    /// When the link entered this state; null if not recorded.
    pub since: Option<String>,
    /// How many times the record has been written.
    pub generation: u64,
    /// The deployed commit; null if nothing is deployed.
    pub deployed: Option<DeployedJson<'a>>,
    /// The rollback target: the last commit verified here before the deployed one; null if there is none.
    pub previous: Option<DeployedJson<'a>>,
    /// The run in progress, or else the last run; null if nothing ran yet.
    pub run: Option<RunJson<'a>>,
    /// The process that holds the lease; null if none does.
    pub holder: Option<HolderJson<'a>>,
    /// Pending requests.
    pub requests: Vec<RequestJson<'a>>,
    /// Commits that must not be deployed here.
    pub quarantined: Vec<QuarantineJson<'a>>,
    /// The part of the record that cannot be read; the other fields may then be wrong. Null if the record is intact.
    pub damage: Option<&'a str>,
}

/// A commit contained in the live commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ContainedJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// The live commit.
    pub since: &'a str,
    /// The paths the link watches, its folder first; an empty path is the whole repository.
    pub paths: &'a [String],
}

/// A commit that is or was deployed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeployedJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// When it was deployed.
    pub at: String,
}

/// A run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunJson<'a> {
    /// Its id, unique in its link.
    pub id: &'a str,
    /// The commit the run is for.
    pub sha: &'a str,
    /// When it began.
    pub started: String,
    /// When it ended; null if it has not.
    pub ended: Option<String>,
    /// How it ended; null if it has not.
    pub outcome: Option<RunOutcomeJson>,
    /// What it tests; null if it is no test of a pull request.
    pub test: Option<TestMergeJson<'a>>,
}

/// The process that holds the lease of a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HolderJson<'a> {
    /// The name of the actor it works for.
    pub actor: &'a str,
    /// The machine it runs on.
    pub host: &'a str,
    /// The process id on that machine.
    pub pid: u32,
    /// Whether the process is known to be gone.
    pub dead: bool,
}

/// A rolled-back commit that must not be deployed again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct QuarantineJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// When it was quarantined.
    pub since: String,
    /// The reason.
    pub why: &'a str,
    /// The commit that was restored; null if none.
    pub restored: Option<&'a str>,
    /// Whether commits that contain it are quarantined too.
    pub with_descendants: bool,
    /// Commits that may be deployed although they contain it; so may their descendants.
    pub cleared: Vec<&'a str>,
}

impl<'a> From<&LinkStatus<'a>> for RecordJson<'a> {
    fn from(status: &LinkStatus<'a>) -> Self {
        let LinkStatus {
            id,
            recorded_as,
            asks,
            want,
            contained,
            head,
            holder,
            // Part of the state, and of the plan.
            has_policy: _,
            gate: _,
            requests,
            damage,
        } = *status;
        // `state` covers a deployment in flight, `previous` comes from the verified commits.
        let Head {
            generation,
            chain: _,
            deployed,
            verified: _,
            live_clock: _,
            upgrades: _,
            deploying: _,
            run,
            quarantined,
            promoted: _,
            tests: _,
            forgotten: _,
            formerly,
            moved_to: _,
            pruned: _,
        } = head;
        let LinkState { kind, phase, since } = status.link_state();
        Self {
            link: id.to_string(),
            formerly: FormerName::names(formerly).map(ToString::to_string).collect(),
            recorded_as: recorded_as.map(ToString::to_string),
            in_manifest: asks.is_some(),
            branch: match asks {
                Some(Wanted::Branch(branch)) => Some(branch),
                Some(Wanted::Sha(_) | Wanted::Pipeline { .. }) | None => None,
            },
            pipeline: match asks {
                Some(Wanted::Pipeline { name, pin: _ }) => Some(name.as_str()),
                Some(Wanted::Sha(_) | Wanted::Branch(_)) | None => None,
            },
            wanted: want.map(CommitSha::as_str),
            contained: contained.map(ContainedJson::from),
            state: kind,
            phase: phase.map(PhaseName::as_str),
            since: since.map(|at| at.to_string()),
            generation: generation.0,
            deployed: deployed.as_ref().map(DeployedJson::from),
            previous: head.rollback_target().map(DeployedJson::from),
            run: run.as_ref().map(RunJson::from),
            holder: HolderJson::of(holder),
            requests: requests.iter().map(RequestJson::from).collect(),
            quarantined: quarantined.iter().map(QuarantineJson::from).collect(),
            damage: damage.map(|damage| damage.text),
        }
    }
}

impl<'a> From<&'a Contained> for ContainedJson<'a> {
    fn from(Contained { tip, live, paths }: &'a Contained) -> Self {
        Self { sha: tip.as_str(), since: live.as_str(), paths }
    }
}

impl<'a> From<&'a Deployment> for DeployedJson<'a> {
    fn from(Deployment { sha, at, images: _, revision: _, token: _, barrier: _ }: &'a Deployment) -> Self {
        Self { sha: sha.as_str(), at: at.to_string() }
    }
}

impl<'a> From<&'a RunState> for RunJson<'a> {
    fn from(
        RunState { id, sha, started, ended, workflow: _, phases: _, goes_on_with: _, cancelled: _, test }: &'a RunState,
    ) -> Self {
        Self::of((id, sha), *started, ended.as_ref(), test.as_deref())
    }
}

impl<'a> From<&'a PastRun> for RunJson<'a> {
    fn from(run: &'a PastRun) -> Self {
        let PastRun {
            id,
            sha,
            reason: _,
            by: _,
            started,
            ended,
            cancelled: _,
            phases: _,
            deployments: _,
            test,
        } = run;
        Self::of((id, sha), *started, ended.as_ref(), test.as_deref())
    }
}

impl<'a> RunJson<'a> {
    fn of(
        (id, sha): (&'a RunId, &'a CommitSha),
        started: Timestamp,
        ended: Option<&(Timestamp, RunOutcome)>,
        test: Option<&'a StartedTest>,
    ) -> Self {
        Self {
            id: id.as_str(),
            sha: sha.as_str(),
            started: started.to_string(),
            ended: ended.map(|(at, _)| at.to_string()),
            outcome: ended.map(|(_, outcome)| outcome.into()),
            test: test.map(|test| (&test.merge).into()),
        }
    }
}

impl<'a> HolderJson<'a> {
    /// The holder, if the lease is held.
    pub fn of(holder: &'a Holder) -> Option<Self> {
        let (owner, dead) = match holder {
            Holder::Nobody => return None,
            Holder::Dead(owner) => (owner, true),
            Holder::Other(owner) => (owner, false),
        };
        let Owner { id: _, host, boot: _, pid, started_ticks: _, actor } = &**owner;
        Some(Self { actor, host, pid: *pid, dead })
    }
}

impl<'a> From<&'a Quarantine> for QuarantineJson<'a> {
    fn from(Quarantine { sha, since, why, good, alone, cleared }: &'a Quarantine) -> Self {
        let cleared = cleared.iter().map(CommitSha::as_str).collect();
        let restored = good.as_ref().map(CommitSha::as_str);
        Self { sha: sha.as_str(), since: since.to_string(), why, restored, with_descendants: !alone, cleared }
    }
}
