//! Commits that must not be undone.

use serde::{Deserialize, Serialize};

use super::{Actor, CommitSha, Deployment, Evidence, Head};

/// A commit that no rollback goes past, for example because it migrates data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// The commit that must not be undone.
    pub sha: CommitSha,
    /// Who pinned it; `None` if its own message says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The reason they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Barrier {
    /// A commit whose message says so.
    pub fn by_message(sha: CommitSha) -> Self {
        Self { sha, by: None, why: None }
    }

    /// What it prevents, and why, as a lowercase fragment.
    pub fn describe(&self) -> String {
        let sha = self.sha.short();
        let why = self.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        match &self.by {
            Some(by) => format!("no rollback goes past {sha}, which {by} pinned{why}"),
            None => format!("no rollback goes past {sha}, which says `Katkit-Rollback: no`"),
        }
    }
}

impl Head {
    /// All rollback targets, newest first: the commits verified here before the deployed one, up to the first barrier.
    pub fn rollback_targets(&self) -> impl Iterator<Item = (&Evidence, &Deployment)> {
        let mut is_open = self.deployed.as_ref().is_none_or(|live| live.barrier.is_none());
        self.verified_before_live().take_while(move |(_, deployment)| {
            let is_target = is_open;
            is_open &= deployment.barrier.is_none();
            is_target
        })
    }

    /// The barrier that the deployment of this commit brought, if it is live or a rollback target.
    pub fn barrier_at(&self, sha: &CommitSha) -> Option<&Barrier> {
        let targets = self.rollback_targets().map(|(_, deployment)| deployment);
        self.deployed.iter().chain(targets).find(|deployment| deployment.sha == *sha)?.barrier.as_deref()
    }

    /// The barrier between what is deployed and this commit, if it would be a rollback target without that.
    pub fn barrier_before(&self, to: &CommitSha) -> Option<&Barrier> {
        let is_target = self.rollback_targets().any(|(evidence, _)| evidence.sha == *to);
        let is_before = self.verified_before_live().any(|(evidence, _)| evidence.sha == *to);
        if is_target || !is_before {
            return None;
        }
        self.barriers().next()
    }

    /// The barriers on the way from what is deployed to the oldest commit verified here, newest first.
    pub fn barriers(&self) -> impl Iterator<Item = &Barrier> {
        let before = self.verified_before_live().map(|(_, deployment)| deployment);
        self.deployed.iter().chain(before).filter_map(|deployment| deployment.barrier.as_deref())
    }
}
