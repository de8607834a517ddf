//! The standings for programs: `status --format json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::standing::{LinkStatus, Standing, StandingKind};
use crate::domain::{Deployment, Owner, PhaseName, Quarantine, RunState};
use crate::manifest::Want;
use crate::plan::Holder;
use crate::views::{RequestJson, RunOutcomeJson};

/// Where links stand, as far as the record tells. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit status")]
pub struct StatusJson<'a> {
    /// The version of this format.
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// In the order of their ids.
    pub links: Vec<StatusLinkJson<'a>>,
}

/// Where one link stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StatusLinkJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// Whether the manifest has it.
    pub in_manifest: bool,
    /// The branch that it follows.
    pub branch: Option<&'a str>,
    /// The commit that the manifest names; null where it names a branch.
    pub want: Option<&'a str>,
    /// Where it stands.
    pub state: StandingKind,
    /// At which phase.
    pub phase: Option<&'a str>,
    /// Since when, where that is recorded.
    pub since: Option<String>,
    /// How often its record was written.
    pub generation: u64,
    /// What is deployed.
    pub deployed: Option<DeployedJson<'a>>,
    /// What was deployed before it, and was good.
    pub previous: Option<DeployedJson<'a>>,
    /// The run in progress, or the last one.
    pub run: Option<RunJson<'a>>,
    /// Who holds it.
    pub holder: Option<HolderJson<'a>>,
    /// What people asked for and nobody has taken into account.
    pub requests: Vec<RequestJson<'a>>,
    /// The commits that must not be deployed here.
    pub quarantined: Vec<QuarantineJson<'a>>,
}

/// A commit that is or was deployed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeployedJson<'a> {
    /// Which.
    pub sha: &'a str,
    /// Since when.
    pub at: String,
}

/// A run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunJson<'a> {
    /// Its id, unique in its link.
    pub id: &'a str,
    /// For which commit.
    pub sha: &'a str,
    /// When it began.
    pub started: String,
    /// When it ended; null: it has not.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: Option<RunOutcomeJson>,
}

/// Who holds a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HolderJson<'a> {
    /// On whose behalf.
    pub actor: &'a str,
    /// On which machine.
    pub host: &'a str,
    /// The process there.
    pub pid: u32,
    /// Whether it is certain that the process is gone.
    pub dead: bool,
}

/// A commit that must not be deployed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct QuarantineJson<'a> {
    /// Which.
    pub sha: &'a str,
    /// Since when.
    pub since: String,
    /// Why.
    pub why: &'a str,
}

impl<'a> StatusJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for these links.
    pub fn of(links: &[LinkStatus<'a>]) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: env!("CARGO_PKG_VERSION"),
            links: links.iter().map(StatusLinkJson::from).collect(),
        }
    }
}

impl<'a> From<&LinkStatus<'a>> for StatusLinkJson<'a> {
    fn from(status: &LinkStatus<'a>) -> Self {
        let LinkStatus { id, asks, head, holder, requests } = *status;
        let Standing { kind, phase, since } = status.standing();
        let (branch, want) = match asks {
            Some(Want::Sha(sha)) => (None, Some(sha.as_str())),
            Some(Want::Branch(branch)) => (Some(branch.as_str()), None),
            None => (None, None),
        };
        Self {
            link: id.to_string(),
            in_manifest: asks.is_some(),
            branch,
            want,
            state: kind,
            phase: phase.map(PhaseName::as_str),
            since: since.map(|at| at.to_string()),
            generation: head.generation.0,
            deployed: head.deployed.as_ref().map(DeployedJson::from),
            previous: head.previous.as_ref().map(DeployedJson::from),
            run: head.run.as_ref().map(RunJson::from),
            holder: HolderJson::of(holder),
            requests: requests.iter().map(RequestJson::from).collect(),
            quarantined: head.quarantined.iter().map(QuarantineJson::from).collect(),
        }
    }
}

impl<'a> From<&'a Deployment> for DeployedJson<'a> {
    fn from(Deployment { sha, at, images: _, revision: _ }: &'a Deployment) -> Self {
        Self { sha: sha.as_str(), at: at.to_string() }
    }
}

impl<'a> From<&'a RunState> for RunJson<'a> {
    fn from(RunState { id, sha, started, ended, workflow: _, phases: _ }: &'a RunState) -> Self {
        Self {
            id: id.as_str(),
            sha: sha.as_str(),
            started: started.to_string(),
            ended: ended.map(|(at, _)| at.to_string()),
            outcome: ended.as_ref().map(|(_, outcome)| outcome.into()),
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
        let Owner { id: _, host, boot: _, pid, started_ticks: _, actor } = owner;
        Some(Self { actor, host, pid: *pid, dead })
    }
}

impl<'a> From<&'a Quarantine> for QuarantineJson<'a> {
    fn from(Quarantine { sha, since, why }: &'a Quarantine) -> Self {
        Self { sha: sha.as_str(), since: since.to_string(), why }
    }
}
