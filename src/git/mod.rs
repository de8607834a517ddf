//! Repositories: what a commit holds, and how it gets into a phase.
//!
//! A repository that lies on this machine (a path, or `file://`) is read where it is, through libgit2: no executable, no
//! copy, nothing written to it. One that libgit2 cannot read is copied by `git` as if it were elsewhere, and so is what a
//! partial clone left out (`reading`). Any other is mirrored once into the cache directory, and the `git` executable does
//! whatever crosses the network, so that the user's credential helpers, ssh configuration and proxies work as they
//! do in a shell. Everything after that is local again: files of a commit are read without a checkout, and a commit
//! goes into a phase as one pack, so that the phase needs neither git nor credentials.
//!
//! # A mirror, and several processes
//!
//! `CACHE/mirrors/NAME` is a bare repository and `NAME.lock` the file whose lock its only writer holds. The lock is the
//! kernel's (`flock`), so it ends with its holder. It is also handed to the `git` that fetches, as its standard input:
//! should katkit be killed, nobody else writes before that `git` is done. Readers take no lock. A fetch adds whole packs
//! (`fetch.unpackLimit=1`) and nothing is ever collected, so an object that was readable stays readable; every sha
//! that was asked for is kept by a reference of its own, in case somebody runs `git gc` there. The price is a pack for
//! each fetch that brought something, which libgit2 keeps open once it read from it: katkit may have many files open
//! (`hardening`). `git gc` would put them together, and delete those that libgit2, in a process that
//! reads without a lock, may be about to open. References are put together once a thousand have a file of their own: who
//! reads one finds it in the one place or in the other.
//!
//! A mirror is made again only where it is known to be damaged: when `git` finds a broken object in it, or it holds what
//! katkit did not make. An error that may pass (no access, too many open files, a full disk) is told, and the mirror stays. The
//! damaged one is moved to `NAME.damaged`, and what was kept in it is fetched from there before it is removed; where not all
//! of that can be read, it stays as `NAME.lost`.
//!
//! # What is trusted
//!
//! `git` obeys the configuration of the repository that it works in. So a mirror has none but katkit's own: before each run
//! of `git` in it, everything that is no object and no reference is written anew or removed (`bare`). Mirrors lie in the
//! user's cache directory, and a directory that git tracks is refused: what can be written into a commit is nobody's cache.
//!
//! In repositories and mirrors objects are not hashed again when they are read (as `git` itself does not): a damaged disk is
//! found by the checksum of the compressed data, and who can replace a pack there can replace what is to be run as well. A
//! phase's pack comes from the blob store, where others may write, so an agent makes its index anew, from the hash of every
//! object (`checkout`). The setting is libgit2's own and holds for the whole process.
//!
//! Commits, tags and folders are read up to a size (`object`): libgit2 holds an object in memory before anybody can look at
//! it. What a commit *contains* is not trusted: names like `.git` or `..` are refused,
//! symbolic links are never followed, and what a checkout could not hold is refused when it is planned.

mod bare;
mod checkout;
mod classify;
mod clean;
mod clone;
mod command;
mod compared;
mod contents;
mod error;
mod found;
mod history;
mod index;
mod mirror;
mod object;
mod open;
mod pack;
mod patch;
mod place;
mod pool;
mod reading;
mod repositories;
mod resolve;
mod revision;
mod tags;
mod taint;
mod tips;
mod tracked;
mod tree;
mod trouble;
mod work_tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::{CommitSha, Tag};

pub use checkout::checkout;
pub use clean::ignore_modes;
pub use clone::clone;
pub use compared::Compared;
pub use contents::Unsupported;
pub use error::GitError;
pub use history::{CommitLine, Commits};
pub use index::TrackedFiles;
pub use pack::Packed;
pub use place::{owner_and_name, redacted, repository_name};
pub use repositories::{Repositories, Tips};
pub use revision::Revision;
pub use tags::add_tags;
pub use taint::{Bad, Tainted};
pub use tracked::{tracked, tracked_repository};
pub use trouble::{Said, Trouble};
pub use work_tree::WorkTree;

use command::Git;
use found::Found;
use mirror::Mirror;
use place::Place;
use pool::{Held, Pool};
use reading::Reading;

/// Every repository that katkit reads, local or mirrored.
///
/// Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct Mirrors {
    cache: PathBuf,
    git: Git,
    known: Mutex<BTreeMap<String, Arc<Mirror>>>,
    /// How the local repositories are read, by their URLs.
    readings: Mutex<BTreeMap<String, Reading>>,
    pool: Arc<Pool>,
}

impl Mirrors {
    /// Mirrors are kept below `cache`, which is created when the first one is needed.
    pub fn new(cache: PathBuf) -> Self {
        let (known, readings) = (Mutex::default(), Mutex::default());
        Self { cache, git: Git::new(Vec::new()), known, readings, pool: Arc::default() }
    }

    /// Gives these variables to every `git` that is started, on top of this process's own environment.
    #[must_use]
    pub fn with_environment(mut self, environment: Vec<(OsString, OsString)>) -> Self {
        self.git = Git::new(environment);
        self
    }

    /// Whether `ancestor` is `descendant`, or comes before it.
    pub async fn is_ancestor(
        &self,
        url: &str,
        ancestor: &CommitSha,
        descendant: &CommitSha,
    ) -> Result<bool, GitError> {
        let (ancestor, descendant) = (ancestor.clone(), descendant.clone());
        self.read(url, move |repository, place| {
            history::is_ancestor(repository, place, &ancestor, &descendant)
        })
        .await
    }

    /// The tip of a branch.
    pub async fn tip(&self, url: &str, branch: &str) -> Result<CommitSha, GitError> {
        let branch = branch.to_owned();
        let mut tips = self.tips(url, std::slice::from_ref(&branch)).await?;
        tips.remove(&branch)
            .unwrap_or_else(|| Err(GitError::NoBranch { place: redacted(url), branch, near: Vec::new() }))
    }

    /// The commit that a person means by `text`: a sha or a prefix of one, a branch, a tag, a tag's own id.
    ///
    /// Asks the repository first, unless `text` is a full sha that is readable already.
    pub async fn resolve(&self, url: &str, text: &str) -> Result<CommitSha, GitError> {
        if let Found { place: Place::Remote(_), mirror: Some(mirror) } = self.find(url).await? {
            match CommitSha::new(text.to_ascii_lowercase()) {
                Ok(sha) => match mirror.ensure(&self.git, &sha).await {
                    // It may be a branch's name or a tag's id; what the mirror holds now decides.
                    Ok(()) | Err(GitError::NotACommit { .. } | GitError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                },
                Err(_) => mirror.refresh(&self.git).await?,
            }
        }
        let text = text.to_owned();
        self.glance(url, move |repository, place| resolve::resolve(repository, place, &text)).await
    }

    /// A commit in one line, if it is on this machine: asks no network.
    pub async fn one_line(&self, url: &str, sha: &CommitSha) -> Result<CommitLine, GitError> {
        let sha = sha.clone();
        self.glance(url, move |repository, place| history::one_line(repository, place, &sha)).await
    }

    /// The mirror of a remote repository: one per process, so that those who wait for the same fetch share it.
    fn mirror(&self, place: &Place) -> Arc<Mirror> {
        let name = place.name();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mirror = known
            .entry(name)
            .or_insert_with_key(|name| Arc::new(Mirror::new(&self.cache.join("mirrors"), name, place)));
        Arc::clone(mirror)
    }

    /// Runs `work` on a repository of its own, on a thread that may block: for what may fill libgit2's caches.
    async fn read<T: Send + 'static>(
        &self,
        url: &str,
        work: impl FnOnce(&git2::Repository, &Place) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let found = self.find(url).await?;
        blocking(move || work(&found.open()?, &found.place)).await
    }

    /// Runs `work` on a repository that is kept for the next who asks, on a thread that may block: for what is done often.
    ///
    /// Should it fail on one that was kept, it is tried on one that is opened anew.
    async fn glance<T: Send + 'static>(
        &self,
        url: &str,
        work: impl Fn(&git2::Repository, &Place) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let found = self.find(url).await?;
        let pool = Arc::clone(&self.pool);
        blocking(move || {
            let place = &found.place;
            let name = place.name();
            if let Some(held) = pool.take(&name)
                && let Ok(done) = work(held.repository(), place)
            {
                pool.give(held);
                return Ok(done);
            }
            let repository = found.open()?;
            let done = work(&repository, place)?;
            if let Some(held) = Held::new(&name, repository) {
                pool.give(held);
            }
            Ok(done)
        })
        .await
    }

    async fn find(&self, url: &str) -> Result<Found, GitError> {
        let place = Place::parse(url)?;
        let known = self.readings.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let reading = match (known, &place) {
            (Some(known), _) => known,
            (None, Place::Remote(_)) => Reading::Copied(place.clone()),
            (None, Place::Local(_)) => {
                let at = place.clone();
                let reading = blocking(move || Reading::of(&at)).await?;
                let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
                readings.insert(url.to_owned(), reading.clone());
                reading
            }
        };
        Ok(match reading {
            Reading::Here => Found { place, mirror: None },
            Reading::Copied(place) => Found { mirror: Some(self.mirror(&place)), place },
            Reading::Partial(promisor) => Found { mirror: Some(self.mirror(&promisor)), place },
        })
    }
}

#[async_trait]
impl Repositories for Mirrors {
    async fn tips(&self, url: &str, branches: &[String]) -> Result<Tips, GitError> {
        let branches = branches.to_vec();
        match self.find(url).await?.place {
            Place::Local(_) => {
                self.glance(url, move |repository, place| tips::local(repository, place, &branches)).await
            }
            place @ Place::Remote(_) => tips::remote(&self.git, &place, &branches).await,
        }
    }

    async fn ensure(&self, url: &str, sha: &CommitSha) -> Result<(), GitError> {
        let Found { place, mirror } = self.find(url).await?;
        let wanted = sha.clone();
        let glance = self.glance(url, move |repository, place| {
            let commit = open::commit(repository, place, &wanted)?;
            if let Place::Remote(_) = place {
                mirror::keep(repository, &commit);
            }
            Ok(())
        });
        match (glance.await, mirror, &place) {
            (Ok(()), Some(mirror), Place::Local(_)) => match mirror.ensure(&self.git, sha).await {
                // It was made here; what it is based on was fetched all the same.
                Err(GitError::Missing { .. }) => Ok(()),
                done => done,
            },
            (
                Err(GitError::Missing { .. } | GitError::Damaged { .. } | GitError::Unreadable { .. }),
                Some(mirror),
                Place::Remote(_),
            ) => {
                tracing::debug!(%place, %sha, "not in the mirror");
                mirror.ensure(&self.git, sha).await
            }
            (done, ..) => done,
        }
    }

    async fn files(
        &self,
        url: &str,
        sha: &CommitSha,
        paths: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, GitError> {
        let (sha, paths) = (sha.clone(), paths.to_vec());
        self.glance(url, move |repository, place| tree::files(repository, place, &sha, &paths)).await
    }

    async fn folder_exists(&self, url: &str, sha: &CommitSha, folder: &str) -> Result<bool, GitError> {
        let (sha, folder) = (sha.clone(), folder.to_owned());
        self.glance(url, move |repository, place| tree::folder_exists(repository, place, &sha, &folder)).await
    }

    async fn commits(
        &self,
        url: &str,
        from: Option<&CommitSha>,
        to: &CommitSha,
        paths: &[String],
        limit: usize,
    ) -> Result<Commits, GitError> {
        let range = history::Range {
            from: from.cloned(),
            to: to.clone(),
            // The root stands for every commit.
            paths: if paths.iter().any(String::is_empty) {
                Vec::new()
            } else {
                paths.iter().map(PathBuf::from).collect()
            },
            limit,
        };
        self.read(url, move |repository, place| history::commits(repository, place, &range)).await
    }

    async fn tainted(&self, url: &str, sha: &CommitSha, bad: &Bad) -> Result<Tainted, GitError> {
        match self.ensure(url, &bad.sha).await {
            Err(GitError::Missing { .. } | GitError::NotACommit { .. }) => return Ok(Tainted::Unknown),
            done => done?,
        }
        let (sha, bad) = (sha.clone(), bad.clone());
        self.read(url, move |repository, place| taint::tainted(repository, place, &sha, &bad)).await
    }

    async fn compare(
        &self,
        url: &str,
        before: &CommitSha,
        now: &CommitSha,
        paths: &[String],
    ) -> Result<Compared, GitError> {
        let (before, now, paths) = (before.clone(), now.clone(), paths.to_vec());
        self.glance(url, move |repository, place| {
            compared::compare(repository, place, (&before, &now), &paths)
        })
        .await
    }

    async fn unsupported(&self, url: &str, sha: &CommitSha) -> Result<Unsupported, GitError> {
        let sha = sha.clone();
        self.read(url, move |repository, place| contents::unsupported(repository, place, &sha)).await
    }

    async fn tags(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Vec<Tag>, GitError> {
        if let Found { place: Place::Remote(_), mirror: Some(mirror) } = self.find(url).await? {
            // Without an answer, those are taken that came with the commit.
            if let Err(error) = mirror.refresh_first(&self.git).await {
                tracing::debug!(%error, "tags may be missing");
            }
        }
        let sha = sha.clone();
        self.glance(url, move |repository, place| tags::within(repository, place, &sha, depth)).await
    }

    async fn pack(&self, url: &str, sha: &CommitSha, depth: u32, into: &Path) -> Result<Packed, GitError> {
        let (sha, into) = (sha.clone(), into.to_owned());
        let elsewhere = self.find(url).await?.elsewhere();
        let lent = move |repository: &git2::Repository, place: &Place| {
            pack::pack(repository, place, elsewhere.as_deref(), &sha, depth, &into)
        };
        self.read(url, lent).await
    }
}

/// Runs `work` on a thread that may block, and carries a panic over.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled: the runtime is shutting down, and nobody polls this future any more.
            Err(_) => std::future::pending().await,
        },
    }
}
