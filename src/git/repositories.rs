//! What planning and phases ask of repositories.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;

use super::{Bad, Commits, Compared, GitError, Packed, Tainted, Unsupported};
use crate::domain::{CommitSha, Tag};

/// Branches, each with its tip.
pub type Tips = BTreeMap<String, Result<CommitSha, GitError>>;

/// Every repository that a manifest names. Each method takes a repository's URL as `git` understands it, or a local path.
#[async_trait]
pub trait Repositories: fmt::Debug + Send + Sync {
    /// The tips of branches, with one question to the repository however many they are. Of a branch that does not exist,
    /// there is [`GitError::NoBranch`].
    async fn tips(&self, url: &str, branches: &[String]) -> Result<Tips, GitError>;

    /// Makes a commit readable. Asks the network only for what the mirror does not hold, and not again within a minute
    /// for what the repository turned out not to have.
    async fn ensure(&self, url: &str, sha: &CommitSha) -> Result<(), GitError>;

    /// Files of a commit, in the given order. A file that does not exist is `None`.
    ///
    /// Fails for what is not a plain file of at most 1 MiB: symbolic links, also as folders on the way, submodules, folders.
    async fn files(
        &self,
        url: &str,
        sha: &CommitSha,
        paths: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, GitError>;

    /// Whether `folder` is a directory at the commit; the empty text is the root.
    async fn folder_exists(&self, url: &str, sha: &CommitSha, folder: &str) -> Result<bool, GitError>;

    /// The commits that are in `to` and not in `from`, in the order of `git log --date-order`: at most `limit` of them, and how many more.
    ///
    /// With `paths`, only those that change one of them.
    async fn commits(
        &self,
        url: &str,
        from: Option<&CommitSha>,
        to: &CommitSha,
        paths: &[String],
        limit: usize,
    ) -> Result<Commits, GitError>;

    /// Whether `sha` contains the rolled-back commit `bad`, or one with the same change, without a later revert or `Fixes:`
    /// trailer. Looks at the newest 5 000 commits, and compares changes of at most 1 000 files.
    async fn tainted(&self, url: &str, sha: &CommitSha, bad: &Bad) -> Result<Tainted, GitError>;

    /// At which of the paths two commits have different things, and at which neither has anything. Files, folders, symbolic links
    /// and submodules are told apart by what the commits say of them; the empty text is the root.
    ///
    /// Fails with [`GitError::Missing`] for a commit that is not readable; see [`Repositories::ensure`].
    async fn compare(
        &self,
        url: &str,
        before: &CommitSha,
        now: &CommitSha,
        paths: &[String],
    ) -> Result<Compared, GitError>;

    /// What a pack of this commit could not bring into a phase.
    async fn unsupported(&self, url: &str, sha: &CommitSha) -> Result<Unsupported, GitError>;

    /// The tags of a commit and of the history before it that a pack of that `depth` brings: at most 1 000 of them, the
    /// nearest first. Asks a remote repository, once per process: a tag may be younger than its commit. Where it does not
    /// answer, those are taken that are known.
    async fn tags(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Vec<Tag>, GitError>;

    /// Packs a commit with `depth` commits of history (1: only it; `u32::MAX`: all) into the directory `into`.
    ///
    /// The same commit and depth give the same bytes, so that two who pack it at once do no harm.
    async fn pack(&self, url: &str, sha: &CommitSha, depth: u32, into: &Path) -> Result<Packed, GitError>;
}
