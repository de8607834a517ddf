//! Repositories: what a commit holds, and how it gets into a phase.
//!
//! A repository on this machine (a path, or `file://`) is read in place through libgit2: no executable, no copy,
//! nothing written to it. If libgit2 cannot read it, `git` copies it as if it were remote; the same goes for objects
//! that a partial clone left out (`repository_reader`). Remote repositories are mirrored once into the cache
//! directory. The `git` executable does everything that crosses the network, so the user's credential helpers, ssh
//! configuration and proxies work as they do in a shell. Everything after that is local: files of a commit are read
//! without a checkout, and a commit reaches a phase as one pack, so the phase needs neither git nor credentials.
//!
//! # Mirrors and concurrent processes
//!
//! `CACHE/mirrors/NAME` is a bare repository, and its only writer holds a lock on the file `NAME.lock`. It is a
//! kernel lock (`flock`), so it ends with its holder. The fetching `git` also gets it, as its standard input: if
//! katkit is killed, no one else writes before that `git` is done. Readers take no lock. References are packed once a
//! thousand of them have their own file: a reader finds each one either loose or packed.
//!
//! A fetch adds whole packs (`fetch.unpackLimit=1`). A lookup may search all of them, so the fetch that makes them too
//! many also merges the small ones (`repack`), after the callers that share it have its result. Objects are
//! never dropped, so a commit that could be read once can always be read, even after a force push. A reference of its
//! own keeps each requested sha, in case someone runs `git gc` there.
//!
//! A repack removes old packs as soon as the new one is complete, and readers carry on. A pack that libgit2 has read
//! from stays open; katkit raises its limit of open files for that (`hardening`). If libgit2 cannot open a pack that it
//! has listed, it does not find the object, lists the packs again, and finds the new one. There are two exceptions: a
//! prefix of an id that seems unique while a pack is missing (`object`), and a multi-pack-index, which libgit2 believes
//! even after its packs are gone. So mirrors have none.
//!
//! A mirror is recreated only if it is known to be damaged: `git` finds a broken object in it, or it holds something
//! that katkit did not make. An error that may pass (no access, too many open files, a full disk) is reported, and the
//! mirror stays. A damaged mirror is moved to `NAME.damaged`. Its kept commits are fetched from there before it is
//! removed; if some of them cannot be read, it stays as `NAME.lost`.
//!
//! # What is trusted
//!
//! `git` obeys the configuration of the repository it works in. So a mirror has only katkit's own: before each run of
//! `git` in it, everything except objects and references is rewritten or removed (`bare`). Mirrors are in the user's
//! cache directory, and a directory that git tracks is refused: anyone who can commit could write to such a cache.
//!
//! In repositories and mirrors, reading an object does not check its hash (nor does `git`): the checksum of the
//! compressed data reveals a damaged disk, and anyone who can replace a pack there can replace the code to run as well. A
//! phase's pack comes from the blob store, where others may write, so the agent rebuilds its index from the hash of
//! every object (`checkout`). The setting is libgit2's own and holds for the whole process.
//!
//! Commits, tags and folders are read up to a size limit (`object`), because libgit2 loads an object into memory
//! before anyone can inspect it. What a commit *contains* is not trusted: names like `.git` or `..` are refused,
//! symbolic links are never followed, and planning refuses commits that a checkout could not hold.

mod bare;
mod blocking;
mod checkout;
mod classify;
mod clean;
mod clone;
mod command;
mod compared;
mod contents;
mod contributors;
mod error;
mod first_parents;
mod history;
mod index;
mod mirror;
mod object;
mod open;
mod pack;
mod patch;
mod pool;
mod remote_problem;
mod repack;
mod repositories;
mod repository_access;
mod repository_location;
mod repository_reader;
mod resolve;
mod revision;
mod tags;
mod taint;
mod tips;
mod tracked;
mod tree;
mod work_tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::{CommitSha, Contributors, Tag};

pub use checkout::checkout;
pub use clean::ignore_modes;
pub use clone::clone;
pub use compared::PathComparison;
pub use contents::Unsupported;
pub use error::GitError;
pub use first_parents::{BesideBranch, FirstParents};
pub use history::{CommitLine, Commits};
pub use index::TrackedFiles;
pub use pack::Packed;
pub use remote_problem::{GitOutput, RemoteProblem};
pub use repack::RepackSchedule;
pub use repositories::{Repositories, Tips};
pub use repository_location::{owner_and_name, public_url, redacted, repository_name};
pub use revision::Revision;
pub use tags::add_tags;
pub use taint::{Rollback, Tainted};
pub use tracked::{tracked, tracked_repository};
pub use work_tree::WorkTree;

use blocking::blocking;
use command::Git;
use mirror::Mirror;
use pool::{Held, Pool};
use repository_access::RepositoryAccess;
use repository_location::RepositoryLocation;
use repository_reader::RepositoryReader;

/// Every repository that katkit reads, local or mirrored.
///
/// Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct Mirrors {
    cache: PathBuf,
    git: Git,
    repacks: RepackSchedule,
    /// The mirror of each remote repository, by name. Never shrinks, but has at most one entry for each repository that
    /// manifests have named during the life of this process.
    known: Mutex<BTreeMap<String, Arc<Mirror>>>,
    /// How each local repository is read, by URL. Bounded like `known`.
    readings: Mutex<BTreeMap<String, RepositoryReader>>,
    pool: Arc<Pool>,
}

impl Mirrors {
    /// Keeps mirrors below `cache`, which is created when the first one is needed.
    pub fn new(cache: PathBuf) -> Self {
        let (known, readings) = (Mutex::default(), Mutex::default());
        let repacks = RepackSchedule::default();
        Self { cache, git: Git::new(Vec::new()), repacks, known, readings, pool: Arc::default() }
    }

    /// Repacks mirrors at other times than by default.
    #[must_use]
    pub fn with_repacks(self, repacks: RepackSchedule) -> Self {
        Self { repacks, ..self }
    }

    /// Adds variables to the environment of every `git` process, on top of this process's own.
    #[must_use]
    pub fn with_environment(mut self, environment: Vec<(OsString, OsString)>) -> Self {
        self.git = Git::new(environment);
        self
    }

    /// The mirror of a remote repository: one per process, so that concurrent callers share a fetch.
    fn mirror(&self, place: &RepositoryLocation) -> Arc<Mirror> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let root = self.cache.join("mirrors");
        let new = |name: &String| Arc::new(Mirror::new(&root, name, place, self.repacks));
        Arc::clone(known.entry(place.name()).or_insert_with_key(new))
    }

    /// Runs `work` on a fresh repository, on a thread that may block: for work that may fill libgit2's caches.
    async fn read<T: Send + 'static>(
        &self,
        url: &str,
        work: impl FnOnce(&git2::Repository, &RepositoryLocation) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let found = self.find(url).await?;
        blocking(move || work(&found.open()?, &found.place)).await
    }

    /// Runs `work` on a pooled repository, on a thread that may block: for frequent work.
    ///
    /// If it fails on a pooled repository, it is retried on a freshly opened one.
    async fn glance<T: Send + 'static>(
        &self,
        url: &str,
        work: impl Fn(&git2::Repository, &RepositoryLocation) -> Result<T, GitError> + Send + 'static,
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

    async fn find(&self, url: &str) -> Result<RepositoryAccess, GitError> {
        let place = RepositoryLocation::parse(url)?;
        let known = self.readings.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let reading = match (known, &place) {
            (Some(known), _) => known,
            (None, RepositoryLocation::Remote(_)) => RepositoryReader::Copied(place.clone()),
            (None, RepositoryLocation::Local(_)) => {
                let at = place.clone();
                let reading = blocking(move || RepositoryReader::of(&at)).await?;
                let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
                readings.insert(url.to_owned(), reading.clone());
                reading
            }
        };
        Ok(match reading {
            RepositoryReader::Here => RepositoryAccess { place, mirror: None },
            RepositoryReader::Copied(place) => RepositoryAccess { mirror: Some(self.mirror(&place)), place },
            RepositoryReader::Partial(promisor) => {
                RepositoryAccess { mirror: Some(self.mirror(&promisor)), place }
            }
        })
    }
}

#[async_trait]
impl Repositories for Mirrors {
    async fn tips(&self, url: &str, branches: &[String]) -> Result<Tips, GitError> {
        let branches = branches.to_vec();
        match self.find(url).await?.place {
            RepositoryLocation::Local(_) => {
                self.glance(url, move |repository, place| tips::local(repository, place, &branches)).await
            }
            place @ RepositoryLocation::Remote(_) => tips::remote(&self.git, &place, &branches).await,
        }
    }

    async fn resolve(&self, url: &str, text: &str) -> Result<CommitSha, GitError> {
        if let RepositoryAccess { place: RepositoryLocation::Remote(_), mirror: Some(mirror) } =
            self.find(url).await?
        {
            match CommitSha::new(text.to_ascii_lowercase()) {
                Ok(sha) => match mirror.ensure(&self.git, &sha).await {
                    // It may be a branch name or a tag's id; the mirror now has what it takes to decide.
                    Ok(()) | Err(GitError::NotACommit { .. } | GitError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                },
                Err(_) => mirror.refresh(&self.git).await?,
            }
        }
        let text = text.to_owned();
        self.glance(url, move |repository, place| resolve::resolve(repository, place, &text)).await
    }

    async fn one_line(&self, url: &str, sha: &CommitSha) -> Result<CommitLine, GitError> {
        let sha = sha.clone();
        self.glance(url, move |repository, place| history::one_line(repository, place, &sha)).await
    }

    async fn ensure(&self, url: &str, sha: &CommitSha) -> Result<(), GitError> {
        let RepositoryAccess { place, mirror } = self.find(url).await?;
        let wanted = sha.clone();
        let glance = self.glance(url, move |repository, place| {
            let commit = open::commit(repository, place, &wanted)?;
            if let RepositoryLocation::Remote(_) = place {
                mirror::keep(repository, &commit);
            }
            Ok(())
        });
        match (glance.await, mirror, &place) {
            (Ok(()), Some(mirror), RepositoryLocation::Local(_)) => match mirror.ensure(&self.git, sha).await
            {
                // A local commit, which the promisor does not have; the commits it is based on were fetched.
                Err(GitError::Missing { .. }) => Ok(()),
                done => done,
            },
            (
                Err(GitError::Missing { .. } | GitError::Damaged { .. } | GitError::Unreadable { .. }),
                Some(mirror),
                RepositoryLocation::Remote(_),
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
            // The root matches every commit.
            paths: if paths.iter().any(String::is_empty) {
                Vec::new()
            } else {
                paths.iter().map(PathBuf::from).collect()
            },
            limit,
        };
        self.read(url, move |repository, place| history::commits(repository, place, &range)).await
    }

    async fn contributors(
        &self,
        url: &str,
        from: Option<&CommitSha>,
        to: &CommitSha,
    ) -> Result<(String, Contributors), GitError> {
        let (from, to) = (from.cloned(), to.clone());
        self.read(url, move |repository, place| {
            contributors::contributors(repository, place, from.as_ref(), &to)
        })
        .await
    }

    async fn first_parents(
        &self,
        url: &str,
        tip: &CommitSha,
        until: &[CommitSha],
    ) -> Result<FirstParents, GitError> {
        let (tip, until) = (tip.clone(), until.to_vec());
        self.read(url, move |repository, place| first_parents::walk(repository, place, &tip, &until)).await
    }

    async fn tainted(&self, url: &str, sha: &CommitSha, rollback: &Rollback) -> Result<Tainted, GitError> {
        match self.ensure(url, &rollback.sha).await {
            Err(GitError::Missing { .. } | GitError::NotACommit { .. }) => return Ok(Tainted::Unknown),
            done => done?,
        }
        let (sha, rollback) = (sha.clone(), rollback.clone());
        self.read(url, move |repository, place| taint::tainted(repository, place, &sha, &rollback)).await
    }

    async fn compare(
        &self,
        url: &str,
        before: &CommitSha,
        now: &CommitSha,
        paths: &[String],
    ) -> Result<PathComparison, GitError> {
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
        if let RepositoryAccess { place: RepositoryLocation::Remote(_), mirror: Some(mirror) } =
            self.find(url).await?
        {
            // If the repository does not answer, the tags that came with the commit have to do.
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
        let lent = move |repository: &git2::Repository, place: &RepositoryLocation| {
            pack::pack(repository, place, elsewhere.as_deref(), &sha, depth, &into)
        };
        self.read(url, lent).await
    }
}
