//! Repositories: one commit is like the other, and only the tips of the branches change.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use katkit::domain::{CommitSha, Tag};
use katkit::git::{Commits, GitError, Packed, Repositories, Unsupported};

use crate::gate::Gate;

/// The repositories through a gate.
#[derive(Debug)]
pub struct GatedRepositories(pub Gate);

/// What every commit deploys.
const DESCRIPTION: &str = r#"{ "Roles": [
  { "Name": "web", "DockerImage": "acme/web:<hubtag>" },
  { "Name": "worker", "DockerImage": "acme/worker:<hubtag>" },
  { "Name": "cache", "DockerImage": "redis:7" }
] }"#;

#[async_trait]
impl Repositories for GatedRepositories {
    async fn tips(&self, url: &str, branches: &[String]) -> Result<BTreeMap<String, CommitSha>, GitError> {
        let facts = self.0.world.facts();
        let tip = |branch: &String| {
            let tip = facts.tips.iter().find(|(link, _)| format!("{}-{}", link.tenant, link.link) == *branch);
            tip.map(|(_, sha)| (branch.clone(), sha.clone()))
        };
        let _ = url;
        Ok(branches.iter().filter_map(tip).collect())
    }

    async fn ensure(&self, _: &str, _: &CommitSha) -> Result<(), GitError> {
        Ok(())
    }

    async fn files(
        &self,
        _: &str,
        _: &CommitSha,
        paths: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, GitError> {
        let file = |path: &String| path.ends_with("servicedescription.js").then(|| DESCRIPTION.into());
        Ok(paths.iter().map(file).collect())
    }

    async fn folder_exists(&self, _: &str, _: &CommitSha, _: &str) -> Result<bool, GitError> {
        Ok(true)
    }

    async fn commits(
        &self,
        _: &str,
        _: Option<&CommitSha>,
        _: &CommitSha,
        _: Option<&str>,
        _: usize,
    ) -> Result<Commits, GitError> {
        Ok(Commits::default())
    }

    async fn unsupported(&self, _: &str, _: &CommitSha) -> Result<Unsupported, GitError> {
        Ok(Unsupported::default())
    }

    async fn tags(&self, _: &str, _: &CommitSha, _: u32) -> Result<Vec<Tag>, GitError> {
        Ok(Vec::new())
    }

    async fn pack(&self, _: &str, _: &CommitSha, _: u32, into: &Path) -> Result<Packed, GitError> {
        let pack = into.join("commit.pack");
        // What cannot be written here is missed by who reads it.
        let _ = std::fs::write(&pack, b"objects");
        Ok(Packed { pack, shallow: Vec::new() })
    }
}
