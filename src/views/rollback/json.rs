//! The rollback targets of links as JSON: `rollback --list --format json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Barrier, CommitSha, Head, LinkId};
use crate::views::DeployedJson;
use crate::views::json::{ActorJson, KATKIT_VERSION};

/// The rollback targets of links. Times are RFC 3339, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit rollback --list")]
pub struct RollbackTargetsJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The links named on the command line, ordered by id.
    pub links: Vec<LinkRollbackTargetsJson<'a>>,
}

/// The rollback targets of one link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkRollbackTargetsJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The deployed commit; null if nothing is deployed.
    pub deployed: Option<DeployedJson<'a>>,
    /// The commits verified before it, newest first. A rollback without `--to` deploys the first.
    pub commits: Vec<RollbackTargetJson<'a>>,
    /// The commit that no rollback goes past; null if there is none.
    pub barrier: Option<BarrierJson<'a>>,
}

/// A commit that must not be undone.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BarrierJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// Who pinned it; null if its own message says so.
    pub by: Option<ActorJson<'a>>,
    /// The reason they gave; null if none.
    pub why: Option<&'a str>,
}

impl<'a> From<&'a Barrier> for BarrierJson<'a> {
    fn from(Barrier { sha, by, why }: &'a Barrier) -> Self {
        Self { sha: sha.as_str(), by: by.as_ref().map(ActorJson::from), why: why.as_deref() }
    }
}

/// A commit that a rollback can deploy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RollbackTargetJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// When it was verified.
    pub verified: String,
    /// The first line of its message; null if the commit is not on this machine.
    pub subject: Option<&'a str>,
}

impl<'a> RollbackTargetsJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";

    /// The document for these links, each with the subjects of the commits available on this machine.
    pub fn of(links: &'a [(LinkId, Head, BTreeMap<CommitSha, String>)]) -> Self {
        let link = |(link, head, subjects): &'a (LinkId, Head, BTreeMap<CommitSha, String>)| {
            let commits = head.rollback_targets().map(|(evidence, _)| RollbackTargetJson {
                sha: evidence.sha.as_str(),
                verified: evidence.at.to_string(),
                subject: subjects.get(&evidence.sha).map(String::as_str),
            });
            let deployed = head.deployed.as_ref().map(DeployedJson::from);
            let barrier = head.barriers().next().map(BarrierJson::from);
            LinkRollbackTargetsJson { link: link.to_string(), deployed, commits: commits.collect(), barrier }
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            links: links.iter().map(link).collect(),
        }
    }
}
