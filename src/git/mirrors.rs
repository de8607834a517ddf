//! Every repository that katkit reads, as one port.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::blocking::blocking;
use super::command::Git;
use super::mirror::Mirror;
use super::pool::{Held, Pool};
use super::repository_access::RepositoryAccess;
use super::repository_location::RepositoryLocation;
use super::repository_reader::RepositoryReader;
use super::{
    CommitLine, Commits, FirstParents, GitError, Landing, Merged, Packed, PathComparison, RepackSchedule,
    Repositories, Rollback, Tainted, Tips, Unsupported, barrier, compared, contents, contributors,
    first_parents, history, landing, merge, mirror, open, pack, resolve, tags, taint, tips, tree,
};
use crate::domain::{CommitSha, Contributors, Tag};

/// How many merges are remembered.
const MERGES: usize = 256;

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
    /// The last merges, by repository, base and head: plans ask again and again. At most [`MERGES`].
    merged: Mutex<BTreeMap<(String, CommitSha, CommitSha), Merged>>,
    pool: Arc<Pool>,
}

impl Mirrors {
    /// Keeps mirrors below `cache`, which is created when the first one is needed.
    pub fn new(cache: PathBuf) -> Self {
        let (known, readings, merged) = (Mutex::default(), Mutex::default(), Mutex::default());
        let repacks = RepackSchedule::default();
        Self { cache, git: Git::new(Vec::new()), repacks, known, readings, merged, pool: Arc::default() }
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
    pub(super) async fn read<T: Send + 'static>(
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
        let (place, mirror) = match reading {
            RepositoryReader::Here => (place, None),
            RepositoryReader::Copied(place) => {
                let mirror = self.mirror(&place);
                (place, Some(mirror))
            }
            RepositoryReader::Partial(promisor) => (place, Some(self.mirror(&promisor))),
        };
        let merges = self.cache.join("merges").join(place.name());
        Ok(RepositoryAccess { place, mirror, merges })
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
        if let RepositoryAccess { place: RepositoryLocation::Remote(_), mirror: Some(mirror), .. } =
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
        let RepositoryAccess { place, mirror, merges: _ } = self.find(url).await?;
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

    async fn barrier(
        &self,
        url: &str,
        from: &CommitSha,
        to: &CommitSha,
    ) -> Result<Option<CommitSha>, GitError> {
        let (from, to) = (from.clone(), to.clone());
        self.read(url, move |repository, place| barrier::barrier(repository, place, &from, &to)).await
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

    async fn merge(&self, url: &str, base: &CommitSha, head: &CommitSha) -> Result<Merged, GitError> {
        let found = self.find(url).await?;
        let key = (found.place.name(), base.clone(), head.clone());
        let known = self.merged.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            let (made, merged) = (found.merges.clone(), known.clone());
            let is_there = move || match &merged {
                Merged::Commit { sha, .. } => Ok(merge::is_there(&made, sha)),
                Merged::Contained { .. } | Merged::Conflict { .. } | Merged::Unrelated => Ok(true),
            };
            if blocking(is_there).await? {
                return Ok(known);
            }
        }
        for sha in [base, head] {
            self.ensure(url, sha).await?;
        }
        let made = found.merges.clone();
        let done = merge::merge(&self.git, found, made, (base, head)).await?;
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        if merged.len() >= MERGES {
            merged.clear();
        }
        merged.insert(key, done.clone());
        Ok(done)
    }

    async fn landing(
        &self,
        url: &str,
        landed: &CommitSha,
        merges: &[(CommitSha, CommitSha)],
    ) -> Result<Option<Landing>, GitError> {
        let (landed, merges) = (landed.clone(), merges.to_vec());
        self.read(url, move |repository, place| landing::find(repository, place, &landed, &merges)).await
    }

    async fn unsupported(&self, url: &str, sha: &CommitSha) -> Result<Unsupported, GitError> {
        let sha = sha.clone();
        self.read(url, move |repository, place| contents::unsupported(repository, place, &sha)).await
    }

    async fn tags(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Vec<Tag>, GitError> {
        if let RepositoryAccess { place: RepositoryLocation::Remote(_), mirror: Some(mirror), .. } =
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
            pack::pack(repository, place, &elsewhere, &sha, depth, &into)
        };
        self.read(url, lent).await
    }
}
