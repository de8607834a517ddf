//! Repositories: branch tips move, and each commit contains all earlier ones. Half of them fix everything that was
//! wrong before; otherwise they are alike.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use katkit::domain::{CommitSha, Contributors, Head, Quarantine, Tag};
use katkit::git::{
    CommitLine, Commits, FirstParents, GitError, Landing, Merged, Packed, PathComparison, Repositories,
    Rollback, Tainted, Tips, Unsupported,
};

use crate::barriers;
use crate::gate::Gate;
use crate::pull_requests;
use crate::world::World;

/// The repositories through a gate.
#[derive(Debug)]
pub struct GatedRepositories(pub Gate);

/// What every commit deploys.
const DESCRIPTION: &str = r#"{ "Roles": [
  { "Name": "web", "DockerImage": "acme/web:<hubtag>" },
  { "Name": "worker", "DockerImage": "acme/worker:<hubtag>" },
  { "Name": "cache", "DockerImage": "redis:7" }
] }"#;

/// Whether `sha` still has the fault of an earlier commit.
pub fn has(world: &World, sha: &CommitSha, bad: &Rollback) -> bool {
    if *sha == bad.sha {
        return true;
    }
    let facts = world.facts();
    facts.pushed.values().any(|pushed| {
        let at = |sha: &CommitSha| pushed.iter().position(|other| other == sha);
        let (Some(bad_at), Some(at_end)) = (at(&bad.sha), at(sha)) else { return false };
        let since = pushed.get(bad_at + 1..=at_end).unwrap_or_default();
        let mends = |sha: &CommitSha| sha.as_str() < "8";
        bad_at <= at_end && !since.iter().any(|sha| mends(sha) || bad.cleared.contains(sha))
    })
}

/// Whether a commit is another or was pushed after it.
pub fn contains(world: &World, sha: &CommitSha, other: &CommitSha) -> bool {
    world.facts().pushed.values().any(|pushed| {
        let at = |sha: &CommitSha| pushed.iter().position(|other| other == sha);
        at(sha).zip(at(other)).is_some_and(|(sha, other)| other <= sha)
    })
}

/// The commit that the link's head records as rolled back and that `sha` still contains.
pub fn tainted<'h>(world: &World, head: &'h Head, sha: &CommitSha) -> Option<&'h CommitSha> {
    let holds = |quarantine: &&Quarantine| {
        let bad = Rollback { sha: quarantine.sha.clone(), good: None, cleared: quarantine.cleared.clone() };
        !quarantine.alone && has(world, sha, &bad)
    };
    head.quarantined.iter().find(holds).map(|quarantine| &quarantine.sha)
}

#[async_trait]
impl Repositories for GatedRepositories {
    async fn tips(&self, url: &str, branches: &[String]) -> Result<Tips, GitError> {
        let facts = self.0.world.facts();
        let tip = |branch: &String| {
            let tip = facts.tips.iter().find(|(link, _)| format!("{}-{}", link.tenant, link.link) == *branch);
            tip.map(|(_, sha)| (branch.clone(), Ok(sha.clone())))
        };
        let _ = url;
        Ok(branches.iter().filter_map(tip).collect())
    }

    /// No process of these worlds is given the name of a commit.
    async fn resolve(&self, url: &str, text: &str) -> Result<CommitSha, GitError> {
        let (place, text) = (url.to_owned(), text.to_owned());
        Err(GitError::Unknown { place, text, near: Vec::new() })
    }

    /// Nobody merges in these worlds: each commit is the only parent of the next.
    async fn first_parents(
        &self,
        _: &str,
        tip: &CommitSha,
        _: &[CommitSha],
    ) -> Result<FirstParents, GitError> {
        let facts = self.0.world.facts();
        let pushed = facts.pushed.values().find(|pushed| pushed.contains(tip));
        let commits: Vec<_> =
            pushed.into_iter().flatten().rev().skip_while(|sha| *sha != tip).cloned().collect();
        drop(facts);
        let trees = commits.iter().map(|sha| pull_requests::tree(&self.0.world, sha)).collect();
        Ok(FirstParents { commits, trees, others: BTreeMap::new() })
    }

    async fn contributors(
        &self,
        _: &str,
        _: Option<&CommitSha>,
        to: &CommitSha,
    ) -> Result<(String, Contributors), GitError> {
        Ok((to.to_string(), Contributors::default()))
    }

    async fn barrier(
        &self,
        _: &str,
        from: &CommitSha,
        to: &CommitSha,
    ) -> Result<Option<CommitSha>, GitError> {
        Ok(barriers::between(&self.0.world, from, to))
    }

    async fn one_line(&self, _: &str, sha: &CommitSha) -> Result<CommitLine, GitError> {
        Ok(CommitLine { sha: sha.clone(), subject: String::new(), author: String::new() })
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
        let file = |path: &String| match path {
            path if path.ends_with("servicedescription.js") => Some(DESCRIPTION.into()),
            path if path.ends_with("ci.sh") => Some("true\n".into()),
            _ => None,
        };
        Ok(paths.iter().map(file).collect())
    }

    /// Links in these worlds have no watched paths.
    async fn compare(
        &self,
        _: &str,
        _: &CommitSha,
        _: &CommitSha,
        paths: &[String],
    ) -> Result<PathComparison, GitError> {
        Ok(PathComparison { changed: paths.to_vec(), absent: Vec::new() })
    }

    async fn folder_exists(&self, _: &str, _: &CommitSha, _: &str) -> Result<bool, GitError> {
        Ok(true)
    }

    async fn commits(
        &self,
        _: &str,
        _: Option<&CommitSha>,
        _: &CommitSha,
        _: &[String],
        _: usize,
    ) -> Result<Commits, GitError> {
        Ok(Commits::default())
    }

    async fn tainted(&self, _: &str, sha: &CommitSha, bad: &Rollback) -> Result<Tainted, GitError> {
        let bad_sha = || bad.sha.clone();
        let by = || Tainted::By { suspect: bad_sha(), through: bad_sha(), others: 0 };
        Ok(if has(&self.0.world, sha, bad) { by() } else { Tainted::No })
    }

    async fn merge(&self, _: &str, base: &CommitSha, head: &CommitSha) -> Result<Merged, GitError> {
        pull_requests::merge(&self.0.world, self.0.process, (base, head))
    }

    /// Nobody reads the notes of these plans.
    async fn landing(
        &self,
        _: &str,
        _: &CommitSha,
        _: &[(CommitSha, CommitSha)],
    ) -> Result<Option<Landing>, GitError> {
        Ok(None)
    }

    async fn unsupported(&self, _: &str, _: &CommitSha) -> Result<Unsupported, GitError> {
        Ok(Unsupported::default())
    }

    async fn tags(&self, _: &str, _: &CommitSha, _: u32) -> Result<Vec<Tag>, GitError> {
        Ok(Vec::new())
    }

    async fn pack(&self, _: &str, _: &CommitSha, _: u32, into: &Path) -> Result<Packed, GitError> {
        let pack = into.join("commit.pack");
        // If the write fails here, the reader notices the missing file.
        let _ = std::fs::write(&pack, b"objects");
        Ok(Packed { pack, shallow: Vec::new() })
    }
}
