//! A bare copy of a remote repository, shared by all links and processes; see the documentation of [`super`].

mod chores;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use git2::{Commit, Repository};
use tokio::sync::Mutex;

use super::command::{FETCH, Git, GitRun};
use super::repack::{self, RepackSchedule};
use super::repository_location::RepositoryLocation;
use super::{GitError, RemoteProblem, bare, blocking, open};
use crate::causes::in_one_line;
use crate::domain::CommitSha;

/// How long to remember that the repository lacks a sha, before requesting it again.
const REMEMBERED: Duration = Duration::from_mins(1);
/// How often to try a lock that another process holds.
const RETRY: Duration = Duration::from_millis(50);
/// Options of every fetch: it brings only what is requested.
const QUIETLY: [&str; 6] = [
    "--quiet",
    "--force",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
];
/// The references that keep requested commits.
const KEPT: &str = "+refs/katkit/keep/*:refs/katkit/keep/*";

/// One mirror, and the state of this process's fetches into it.
#[derive(Debug)]
pub(super) struct Mirror {
    place: RepositoryLocation,
    directory: PathBuf,
    /// Where a damaged mirror is moved until its kept commits have been recovered.
    aside: PathBuf,
    /// Where the last damaged mirror stays that could not be recovered completely.
    lost: PathBuf,
    lock: PathBuf,
    schedule: RepackSchedule,
    /// How many full fetches have finished, so that callers who waited for one can share it.
    fetches: AtomicU64,
    state: Mutex<FetchRecord>,
}

/// The results of this process's fetches.
#[derive(Debug)]
struct FetchRecord {
    last: Result<(), GitError>,
    missing: BTreeMap<CommitSha, Instant>,
}

impl Mirror {
    /// The mirror `name` below `root`. Does not touch the disk.
    pub(super) fn new(root: &Path, name: &str, place: &RepositoryLocation, schedule: RepackSchedule) -> Self {
        Self {
            place: place.clone(),
            directory: root.join(name),
            aside: root.join(format!("{name}.damaged")),
            lost: root.join(format!("{name}.lost")),
            lock: root.join(format!("{name}.lock")),
            schedule,
            fetches: AtomicU64::new(0),
            state: Mutex::new(FetchRecord { last: Ok(()), missing: BTreeMap::new() }),
        }
    }

    /// Opens it for reading. Blocks.
    pub(super) fn open(&self) -> Result<Repository, GitError> {
        open::mirror(&self.directory)?.ok_or_else(|| GitError::Damaged {
            place: self.directory.display().to_string(),
            what: format!("there is no mirror of {} yet", self.place),
        })
    }

    /// Its object directory, if it exists.
    pub(super) fn objects(&self) -> Option<String> {
        open::objects(&self.directory)
    }

    /// Fetches the repository's current state. Concurrent callers share one fetch.
    pub(super) async fn refresh(&self, git: &Git) -> Result<(), GitError> {
        self.refresh_since(git, self.fetches.load(Ordering::SeqCst)).await
    }

    /// Fetches the repository's current state, unless this process has done so before.
    pub(super) async fn refresh_first(&self, git: &Git) -> Result<(), GitError> {
        self.refresh_since(git, 0).await
    }

    async fn refresh_since(&self, git: &Git, seen: u64) -> Result<(), GitError> {
        let mut state = self.state.lock().await;
        let lock = self.refresh_once(git, seen, &mut state).await?;
        drop(state);
        self.tidy(git, lock).await;
        Ok(())
    }

    /// Makes a commit readable, and keeps it readable.
    pub(super) async fn ensure(&self, git: &Git, sha: &CommitSha) -> Result<(), GitError> {
        let seen = self.fetches.load(Ordering::SeqCst);
        if self.holds(sha).await? {
            return Ok(());
        }
        let mut state = self.state.lock().await;
        state.missing.retain(|_, since| since.elapsed() < REMEMBERED);
        if self.holds(sha).await? {
            return Ok(());
        }
        if state.missing.contains_key(sha) {
            return Err(self.missing(sha));
        }
        let mut lock = self.refresh_once(git, seen, &mut state).await?;
        let done = self.request(git, sha, &mut lock, &mut state.missing).await;
        drop(state);
        self.tidy(git, lock).await;
        done
    }

    /// Requests a commit by its id, if it is not readable yet. Takes the lock if the caller does not hold it.
    async fn request(
        &self,
        git: &Git,
        sha: &CommitSha,
        lock: &mut Option<File>,
        missing: &mut BTreeMap<CommitSha, Instant>,
    ) -> Result<(), GitError> {
        if self.holds(sha).await? {
            return Ok(());
        }
        // On no branch or tag: a pull request's commit, or one lost to a force push. Most hosts serve it by id.
        let refspec = format!("+{sha}:{}", kept(sha));
        let held = match lock.take() {
            Some(held) => held,
            None => self.lock().await?,
        };
        match self.fetch(git, &[&refspec], lock.insert(held)).await {
            Ok(()) if self.holds(sha).await? => Ok(()),
            Ok(()) | Err(GitError::Remote { problem: RemoteProblem::NotOurs, .. }) => {
                missing.insert(sha.clone(), Instant::now());
                Err(self.missing(sha))
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches everything, unless another fetch has finished since `seen` was read: then shares its result.
    ///
    /// Returns the lock after a fetch, for [`tidy`](Self::tidy): callers release the state first, because a repack may
    /// take minutes.
    async fn refresh_once(
        &self,
        git: &Git,
        seen: u64,
        state: &mut FetchRecord,
    ) -> Result<Option<File>, GitError> {
        let mut held = None;
        if self.fetches.load(Ordering::SeqCst) == seen {
            state.last = self.fetch_all(git).await.map(|lock| held = Some(lock));
            self.fetches.fetch_add(1, Ordering::SeqCst);
        }
        state.last.clone()?;
        Ok(held)
    }

    /// Fetches all branches and tags. Returns the lock.
    async fn fetch_all(&self, git: &Git) -> Result<File, GitError> {
        let lock = self.lock().await?;
        self.fetch(git, &["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], &lock).await?;
        Ok(lock)
    }

    fn missing(&self, sha: &CommitSha) -> GitError {
        GitError::Missing { place: self.place.to_string(), sha: sha.clone(), shallow: false }
    }

    /// Whether the commit is readable; if it is, a reference keeps it.
    async fn holds(&self, sha: &CommitSha) -> Result<bool, GitError> {
        let (directory, place, sha) = (self.directory.clone(), self.place.clone(), sha.clone());
        blocking(move || {
            // If the mirror cannot be opened, the next fetch repairs it or says why not.
            let Ok(Some(repository)) = open::mirror(&directory) else { return Ok(false) };
            match open::commit(&repository, &place, &sha) {
                Ok(commit) => {
                    keep(&repository, &commit);
                    Ok(true)
                }
                Err(GitError::Missing { .. } | GitError::Unreadable { .. } | GitError::Damaged { .. }) => {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Fetches `refspecs` as the mirror's only writer, and repairs what a dead writer left.
    async fn fetch(&self, git: &Git, refspecs: &[&str], lock: &File) -> Result<(), GitError> {
        self.prepare().await?;
        match self.fetch_locked(git, refspecs, lock).await {
            Err(GitError::Remote { problem: RemoteProblem::Damaged, said, .. }) => {
                tracing::warn!(mirror = %self.directory.display(), %said, "recreating a damaged mirror");
                self.set_aside().await?;
                self.prepare().await?;
                self.fetch_locked(git, refspecs, lock).await?;
            }
            done => done?,
        }
        // The fetch succeeded; a problem with this is no reason to fail.
        if let Err(error) = self.bring_back(git, lock).await {
            let error = in_one_line(&error);
            tracing::warn!(mirror = %self.aside.display(), %error, "could not recover commits from a damaged mirror");
        }
        Ok(())
    }

    async fn fetch_locked(&self, git: &Git, refspecs: &[&str], lock: &File) -> Result<(), GitError> {
        let RepositoryLocation::Remote(url) = &self.place else { return Ok(()) };
        let mut arguments = vec!["fetch"];
        arguments.extend(QUIETLY);
        if refspecs.iter().any(|spec| spec.contains('*')) {
            arguments.push("--prune");
        }
        arguments.extend(["--", url]);
        arguments.extend(refspecs);
        self.run(git, &arguments, lock, FETCH).await
    }

    /// Runs `git` in the mirror. The process holds the lock for as long as it lives.
    async fn run(&self, git: &Git, arguments: &[&str], lock: &File, bound: Duration) -> Result<(), GitError> {
        let child = lock.try_clone().map_err(|error| GitError::io("locked", &self.lock, error))?;
        git.run(GitRun {
            place: &self.place,
            directory: Some(&self.directory),
            arguments,
            lock: Some(child),
            bound,
        })
        .await
        .map(drop)
    }

    /// Waits to be the only writer. The lock ends with the file, and with the process.
    async fn lock(&self) -> Result<File, GitError> {
        let failed = |error| GitError::io("locked", &self.lock, error);
        if let Some(root) = self.lock.parent() {
            // Only for this user: a cache that others can write to cannot be trusted.
            let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
            made.map_err(|error| GitError::io("created", root, error))?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.lock)
            .map_err(failed)?;
        // Polled instead of blocking, so that a cancelled caller leaves no thread behind.
        let deadline = Instant::now() + FETCH + repack::LONGEST + RETRY;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(GitError::Busy { place: self.place.to_string(), lock: self.lock.clone() });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// Creates the mirror if there is none, and otherwise resets it to katkit's own settings; see [`bare::reclaim`]. An
    /// error says nothing about the mirror (too many open files, no access), so the mirror stays.
    async fn prepare(&self) -> Result<(), GitError> {
        let directory = self.directory.clone();
        let usable = blocking(move || {
            let failed = |error| GitError::io("cleaned", &directory, error);
            match directory.symlink_metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(failed(error)),
                Ok(there) if !there.is_dir() || !bare::reclaim(&directory).map_err(failed)? => Ok(false),
                // Its settings are katkit's own, so a failure has some other cause.
                Ok(_) => open::mirror(&directory).map(|repository| repository.is_some()),
            }
        })
        .await?;
        if usable {
            return Ok(());
        }
        self.set_aside().await?;
        let directory = self.directory.clone();
        blocking(move || bare::create(&directory)).await
    }

    /// Moves a mirror that is known to be damaged out of the way, in one step. If an earlier one is still there, it
    /// has not been recovered yet and nothing has been kept since, so the earlier one stays.
    async fn set_aside(&self) -> Result<(), GitError> {
        let (directory, aside) = (self.directory.clone(), self.aside.clone());
        blocking(move || {
            if !is_there(&directory)? {
                return Ok(());
            }
            if is_there(&aside)? {
                return remove(&directory);
            }
            fs::rename(&directory, &aside).map_err(|error| GitError::io("moved", &directory, error))
        })
        .await
    }

    /// Recovers the kept commits from a mirror that was moved aside: some exist nowhere else after a force push.
    async fn bring_back(&self, git: &Git, lock: &File) -> Result<(), GitError> {
        let aside = self.aside.clone();
        if !blocking(move || is_there(&aside)).await? {
            return Ok(());
        }
        let (aside, lost) = (self.aside.clone(), self.lost.clone());
        match self.fetch_kept(git, lock).await {
            Ok(()) => blocking(move || remove(&aside)).await,
            // The next fetch tries again.
            Err(error @ GitError::Io { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(
                    mirror = %lost.display(),
                    error = in_one_line(&error),
                    "could not recover all commits from a damaged mirror; commits removed by force pushes may be lost"
                );
                blocking(move || {
                    if is_there(&lost)? {
                        remove(&lost)?;
                    }
                    fs::rename(&aside, &lost).map_err(|error| GitError::io("moved", &aside, error))
                })
                .await
            }
        }
    }

    async fn fetch_kept(&self, git: &Git, lock: &File) -> Result<(), GitError> {
        let aside = self.aside.clone();
        let ours =
            blocking(move || bare::reclaim(&aside).map_err(|error| GitError::io("cleaned", &aside, error)));
        let from = self.aside.to_str().filter(|path| path.starts_with('/'));
        let (true, Some(from)) = (ours.await?, from) else {
            let (place, what) = (self.aside.display().to_string(), "it was not made by katkit".to_owned());
            return Err(GitError::Damaged { place, what });
        };
        let mut arguments = vec!["-c", "protocol.file.allow=always", "fetch"];
        arguments.extend(QUIETLY);
        arguments.extend(["--", from, KEPT]);
        self.run(git, &arguments, lock, FETCH).await
    }
}

/// Whether anything exists at this path.
fn is_there(path: &Path) -> Result<bool, GitError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(GitError::io("read", path, error)),
    }
}

/// Moves a directory out of the way in one step, then removes it.
fn remove(directory: &Path) -> Result<(), GitError> {
    let grave = bare::scratch(directory)?;
    let failed = |error| GitError::io("moved", directory, error);
    fs::rename(directory, grave.path().join("mirror")).map_err(failed)
}

/// The reference that keeps a commit.
fn kept(id: impl std::fmt::Display) -> String {
    format!("refs/katkit/keep/{id}")
}

/// Keeps a commit of a mirror readable even after a force push.
pub(super) fn keep(repository: &Repository, commit: &Commit<'_>) {
    let name = kept(commit.id());
    if repository.find_reference(&name).is_err() {
        // Several processes may try at once, and one is enough.
        if let Err(error) = repository.reference(&name, commit.id(), true, "requested") {
            tracing::debug!(%error, name, "could not write the reference that keeps a commit");
        }
    }
}
