//! What links can be rolled back to, for programs: `rollback --list --format json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, Head, LinkId};
use crate::views::DeployedJson;
use crate::views::json::KATKIT_VERSION;

/// The commits that links can be rolled back to. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit rollback --list")]
pub struct WaysBackJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// The links that were named, ordered by id.
    pub links: Vec<WaysBackOfLinkJson<'a>>,
}

/// What one link can be rolled back to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WaysBackOfLinkJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The commit that is deployed; null: none is.
    pub deployed: Option<DeployedJson<'a>>,
    /// The commits that were verified before it, newest first. A rollback without `--to` deploys the first.
    pub commits: Vec<WayBackJson<'a>>,
}

/// A commit that a rollback can deploy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WayBackJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// When it was verified.
    pub verified: String,
    /// The first line of its message; null where the commit is not on this machine.
    pub subject: Option<&'a str>,
}

impl<'a> WaysBackJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for these links, each with the subjects of the commits that are on this machine.
    pub fn of(links: &'a [(LinkId, Head, BTreeMap<CommitSha, String>)]) -> Self {
        let link = |(link, head, subjects): &'a (LinkId, Head, BTreeMap<CommitSha, String>)| {
            let commits = head.ways_back().map(|(evidence, _)| WayBackJson {
                sha: evidence.sha.as_str(),
                verified: evidence.at.to_string(),
                subject: subjects.get(&evidence.sha).map(String::as_str),
            });
            let deployed = head.deployed.as_ref().map(DeployedJson::from);
            WaysBackOfLinkJson { link: link.to_string(), deployed, commits: commits.collect() }
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            links: links.iter().map(link).collect(),
        }
    }
}
