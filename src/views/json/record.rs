//! What is recorded of a link, and where that leaves it: told by `status` of every link, and by `why` of one.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{RequestJson, RunOutcomeJson};
use crate::domain::{
    CommitSha, Deployment, FormerName, Head, Owner, PhaseName, Quarantine, RunId, RunOutcome, RunState,
};
use crate::journal::PastRun;
use crate::manifest::Want;
use crate::plan::{Contained, Holder};
use crate::views::{LinkStatus, Standing, StandingKind};

/// What is recorded of one link, and where that leaves it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RecordJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The names that it had before, the first one first.
    pub formerly: Vec<String>,
    /// Its old name, where its record is still under that and the next apply moves it; null otherwise.
    pub recorded_as: Option<String>,
    /// Whether the manifest has it.
    pub in_manifest: bool,
    /// The branch that it follows; null where it follows none.
    pub branch: Option<&'a str>,
    /// The commit that is asked for; null where nothing is, where it could not be found out, and in `status` where the
    /// manifest names a branch, whose repository only a plan looks at.
    pub want: Option<&'a str>,
    /// The tip of its branch, where that changes nothing that the link watches: nothing runs for it, and what is live is what is
    /// asked for. Null where the link watches nothing, or the tip is another matter or could not be found out.
    pub contained: Option<ContainedJson<'a>>,
    /// Where it stands, as far as the record tells.
    pub state: StandingKind,
    /// The phase that the state is about; null where it is about none.
    pub phase: Option<&'a str>,
    /// When it came to stand there; null where that is not recorded.
    pub since: Option<String>,
    /// How often its record was written.
    pub generation: u64,
    /// The commit that is deployed; null: none is.
    pub deployed: Option<DeployedJson<'a>>,
    /// What a rollback deploys: the last commit that was verified here before it.
    pub previous: Option<DeployedJson<'a>>,
    /// The run in progress, or the last one.
    pub run: Option<RunJson<'a>>,
    /// The process that works on it; null: none does.
    pub holder: Option<HolderJson<'a>>,
    /// What people asked for and nobody has taken into account.
    pub requests: Vec<RequestJson<'a>>,
    /// The commits that must not be deployed here.
    pub quarantined: Vec<QuarantineJson<'a>>,
    /// What of its record cannot be read; what else is said of it may be wrong then.
    pub damage: Option<&'a str>,
}

/// A commit that is contained in what is live.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ContainedJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// The commit that is live.
    pub since: &'a str,
    /// The paths that the link watches, its folder first; the empty one is the whole repository.
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
    /// The commit that it is for.
    pub sha: &'a str,
    /// When it began.
    pub started: String,
    /// When it ended; null: it has not.
    pub ended: Option<String>,
    /// How it ended; null: it has not.
    pub outcome: Option<RunOutcomeJson>,
}

/// Who holds a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HolderJson<'a> {
    /// The name of the actor for whom it works.
    pub actor: &'a str,
    /// The machine that it runs on.
    pub host: &'a str,
    /// The id of the process on that machine.
    pub pid: u32,
    /// Whether it is certain that the process is gone.
    pub dead: bool,
}

/// A commit that was rolled back, and must not be deployed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct QuarantineJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// When it was quarantined.
    pub since: String,
    /// The reason, in words.
    pub why: &'a str,
    /// The commit that was restored.
    pub restored: Option<&'a str>,
    /// Whether commits that contain it must not be deployed either.
    pub with_descendants: bool,
    /// Commits that may be deployed though they contain it, and so may what contains them.
    pub cleared: Vec<&'a str>,
}

impl<'a> From<&LinkStatus<'a>> for RecordJson<'a> {
    fn from(status: &LinkStatus<'a>) -> Self {
        let LinkStatus { id, recorded_as, asks, want, contained, head, holder, requests, damage } = *status;
        // What is being deployed is told by the standing, what ran by the images of what is deployed.
        let Head {
            generation,
            deployed,
            verified: _,
            deploying: _,
            run,
            quarantined,
            forgotten: _,
            formerly,
            moved_to: _,
            pruned: _,
        } = head;
        let Standing { kind, phase, since } = status.standing();
        Self {
            link: id.to_string(),
            formerly: FormerName::names(formerly).map(ToString::to_string).collect(),
            recorded_as: recorded_as.map(ToString::to_string),
            in_manifest: asks.is_some(),
            branch: match asks {
                Some(Want::Branch(branch)) => Some(branch),
                Some(Want::Sha(_)) | None => None,
            },
            want: want.map(CommitSha::as_str),
            contained: contained.map(ContainedJson::from),
            state: kind,
            phase: phase.map(PhaseName::as_str),
            since: since.map(|at| at.to_string()),
            generation: generation.0,
            deployed: deployed.as_ref().map(DeployedJson::from),
            previous: head.way_back().map(DeployedJson::from),
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
    fn from(Deployment { sha, at, images: _, revision: _, token: _ }: &'a Deployment) -> Self {
        Self { sha: sha.as_str(), at: at.to_string() }
    }
}

impl<'a> From<&'a RunState> for RunJson<'a> {
    fn from(
        RunState { id, sha, started, ended, workflow: _, phases: _, goes_on_with: _, cancelled: _ }: &'a RunState,
    ) -> Self {
        Self::of(id, sha, *started, ended.as_ref())
    }
}

impl<'a> From<&'a PastRun> for RunJson<'a> {
    fn from(run: &'a PastRun) -> Self {
        let PastRun { id, sha, reason: _, by: _, started, ended, cancelled: _, phases: _, deployments: _ } =
            run;
        Self::of(id, sha, *started, ended.as_ref())
    }
}

impl<'a> RunJson<'a> {
    fn of(
        id: &'a RunId,
        sha: &'a CommitSha,
        started: Timestamp,
        ended: Option<&(Timestamp, RunOutcome)>,
    ) -> Self {
        Self {
            id: id.as_str(),
            sha: sha.as_str(),
            started: started.to_string(),
            ended: ended.map(|(at, _)| at.to_string()),
            outcome: ended.map(|(_, outcome)| outcome.into()),
        }
    }
}

impl<'a> HolderJson<'a> {
    /// The holder, if there is one.
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
