//! The port through which planning and phases read repositories.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;

use super::{
    CommitLine, Commits, FirstParents, GitError, Landing, Merged, Packed, PathComparison, Rollback, Tainted,
    Unsupported, redacted,
};
use crate::domain::{CommitSha, Contributors, Tag};

/// The tip of each branch.
pub type Tips = BTreeMap<String, Result<CommitSha, GitError>>;

/// Access to the repositories of a manifest. Each method takes a repository's URL as `git` understands it, or a local
/// path.
#[async_trait]
pub trait Repositories: fmt::Debug + Send + Sync {
    /// The tips of branches, with one query to the repository for all of them. A branch that does not exist yields
    /// [`GitError::NoBranch`].
    async fn tips(&self, url: &str, branches: &[String]) -> Result<Tips, GitError>;

    /// The tip of a branch.
    async fn tip(&self, url: &str, branch: &str) -> Result<CommitSha, GitError> {
        let branch = branch.to_owned();
        let mut tips = self.tips(url, std::slice::from_ref(&branch)).await?;
        tips.remove(&branch)
            .unwrap_or_else(|| Err(GitError::NoBranch { place: redacted(url), branch, near: Vec::new() }))
    }

    /// Resolves a sha, a prefix of one, a branch, a tag or a tag's own id to a commit.
    ///
    /// Refreshes the mirror first, unless `text` is a full sha that is already readable.
    async fn resolve(&self, url: &str, text: &str) -> Result<CommitSha, GitError>;

    /// A one-line summary of a commit. Never uses the network, so the commit must be on this machine.
    async fn one_line(&self, url: &str, sha: &CommitSha) -> Result<CommitLine, GitError>;

    /// Makes a commit readable. Uses the network only for commits that the mirror lacks, and not again within a
    /// minute for a commit that the repository lacks.
    async fn ensure(&self, url: &str, sha: &CommitSha) -> Result<(), GitError>;

    /// Reads files of a commit, in the given order. A file that does not exist is `None`.
    ///
    /// Fails for anything but a plain file of at most 1 MiB: folders, submodules, and symbolic links anywhere in the
    /// path.
    async fn files(
        &self,
        url: &str,
        sha: &CommitSha,
        paths: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, GitError>;

    /// Whether `folder` is a directory in the commit; the empty path is the root.
    async fn folder_exists(&self, url: &str, sha: &CommitSha, folder: &str) -> Result<bool, GitError>;

    /// The commits that are in `to` and not in `from`, in the order of `git log --date-order`: at most `limit` of them,
    /// and how many more there are.
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

    /// The id of the tree of `to`, and whose work the commits are that are in `to` and not in `from`. Without `from`, the
    /// commits that are not in the first parent of `to`.
    async fn contributors(
        &self,
        url: &str,
        from: Option<&CommitSha>,
        to: &CommitSha,
    ) -> Result<(String, Contributors), GitError>;

    /// The newest commit that is in `to` and not in `from`, and whose message has a line `Katkit-Rollback: no`.
    async fn barrier(
        &self,
        url: &str,
        from: &CommitSha,
        to: &CommitSha,
    ) -> Result<Option<CommitSha>, GitError>;

    /// The first-parent commits of `tip`, newest first, back to the oldest of `until`; see [`FirstParents`]. Commits of
    /// `until` that the history or the repository lacks are left out.
    ///
    /// Fails with [`GitError::Missing`] if `tip` is not readable; see [`Repositories::ensure`].
    async fn first_parents(
        &self,
        url: &str,
        tip: &CommitSha,
        until: &[CommitSha],
    ) -> Result<FirstParents, GitError>;

    /// Whether `sha` contains the rolled-back commit, or one with the same change, without a later revert or
    /// `Fixes:` trailer. Examines the newest 5 000 commits, and compares changes of at most 1 000 files.
    async fn tainted(&self, url: &str, sha: &CommitSha, rollback: &Rollback) -> Result<Tainted, GitError>;

    /// Which paths differ between two commits, and which exist in neither. Compares the entries for files, folders,
    /// symbolic links and submodules as committed; the empty path is the root.
    ///
    /// Fails with [`GitError::Missing`] for a commit that is not readable; see [`Repositories::ensure`].
    async fn compare(
        &self,
        url: &str,
        before: &CommitSha,
        now: &CommitSha,
        paths: &[String],
    ) -> Result<PathComparison, GitError>;

    /// Merges `head` into `base`, as its second parent. The merge commit is readable like any other from then on, but the
    /// repository does not get it. The same commits and version of `git` always give the same merge commit.
    ///
    /// Fails with [`GitError::Missing`] for a commit that the repository does not have.
    async fn merge(&self, url: &str, base: &CommitSha, head: &CommitSha) -> Result<Merged, GitError>;

    /// The first of these merges, each with the head that it merges, that `landed` brought in, and the paths in which it
    /// differs from that. Merges that are not readable are left out.
    async fn landing(
        &self,
        url: &str,
        landed: &CommitSha,
        merges: &[(CommitSha, CommitSha)],
    ) -> Result<Option<Landing>, GitError>;

    /// Finds contents of the commit that a pack cannot bring into a phase.
    async fn unsupported(&self, url: &str, sha: &CommitSha) -> Result<Unsupported, GitError>;

    /// The tags in the history that a pack of that `depth` contains: at most 1 000, nearest first. Refreshes a remote
    /// repository once per process, because a tag may be newer than its commit. If the repository does not answer, the
    /// known tags are used.
    async fn tags(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Vec<Tag>, GitError>;

    /// Packs a commit with `depth` commits of history (1: only itself; `u32::MAX`: all) into the directory `into`.
    ///
    /// The same commit and depth give the same bytes, so packing it twice at once does no harm.
    async fn pack(&self, url: &str, sha: &CommitSha, depth: u32, into: &Path) -> Result<Packed, GitError>;
}
