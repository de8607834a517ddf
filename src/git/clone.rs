//! The agent's side of `checkout = "clone"`: runs the `git` executable inside the phase, with the phase's credentials.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::command::{self, POLL, heard, started};
use super::contents::{self, Unsupported};
use super::repository_location::RepositoryLocation;
use super::{GitError, RemoteProblem, classify, object, open};
use crate::domain::CommitSha;

/// The reference for the commit during the fetch.
const FETCHED: &str = "refs/katkit/fetched";

/// Clones a repository with its submodules and LFS files into `into`, hard-reset to `sha`. Blocks.
///
/// `depth` counts commits of history; `u32::MAX` is all. If the host does not serve commits by id, everything is
/// fetched.
///
/// `git` and its children get only the variables in `environment`, and none of this process's own.
pub fn clone(
    url: &str,
    sha: &CommitSha,
    depth: u32,
    into: &Path,
    environment: &[(OsString, OsString)],
) -> Result<(), GitError> {
    let place = RepositoryLocation::parse(url)?;
    std::fs::create_dir_all(into).map_err(|error| GitError::io("created", into, error))?;
    // The commands run inside `into`, which would change the meaning of a relative path.
    let url = match &place {
        RepositoryLocation::Local(path) => std::path::absolute(path)
            .map_err(|error| GitError::io("read", path, error))?
            .to_string_lossy()
            .into_owned(),
        RepositoryLocation::Remote(url) => url.clone(),
    };
    let mut clone = Clone { place: &place, url: &url, into, environment, ssh: None };
    clone.git(&["init", "--quiet", "--template="])?;
    if !command::names_ssh(environment.iter().map(|(name, _)| name))
        && clone.git(&["config", "--get", "core.sshCommand"]).is_err()
    {
        clone.ssh = Some(command::SSH);
    }
    clone.git(&["remote", "add", "--", "origin", &url])?;
    clone.fetch(sha, depth)?;
    // Pointers first: an LFS filter that is configured but not installed would fail with a cryptic message.
    let unfiltered = ["filter.lfs.process=", "filter.lfs.smudge=", "filter.lfs.required=false"]
        .map(|setting| ["-c", setting]);
    let checkout = ["checkout", "--quiet", "--force", "--detach", sha.as_str()];
    clone.git(&[unfiltered.as_flattened(), &checkout].concat())?;
    clone.complete(into, sha)
}

struct Clone<'a> {
    place: &'a RepositoryLocation,
    url: &'a str,
    into: &'a Path,
    environment: &'a [(OsString, OsString)],
    ssh: Option<&'static str>,
}

impl Clone<'_> {
    /// Fetches the commit: by its id alone if the host allows that, otherwise with all branches and tags.
    fn fetch(&self, sha: &CommitSha, depth: u32) -> Result<(), GitError> {
        let everything = ["fetch", "--quiet", "--tags", "--force", "origin"];
        if depth != u32::MAX {
            let depth = format!("--depth={}", depth.max(1));
            // Tags are fetched too only if the commit gets a reference.
            let named = format!("+{sha}:{FETCHED}");
            match self.git(&["fetch", "--quiet", &depth, "origin", &named]) {
                Err(GitError::Remote { problem: RemoteProblem::NotOurs, .. }) => {}
                done => return done.and_then(|()| self.git(&["update-ref", "-d", FETCHED])),
            }
        }
        self.git(&everything)?;
        let there = format!("{sha}^{{commit}}");
        if self.git(&["cat-file", "-e", &there]).is_ok() {
            return Ok(());
        }
        match self.git(&["fetch", "--quiet", "origin", sha.as_str()]) {
            Err(GitError::Remote { problem: RemoteProblem::NotOurs, .. }) => {
                Err(GitError::Missing { place: self.place.to_string(), sha: sha.clone(), shallow: false })
            }
            done => done,
        }
    }

    /// Fetches what the commit only points to: submodules, their submodules, and files in Git LFS.
    fn complete(&self, at: &Path, sha: &CommitSha) -> Result<(), GitError> {
        let repository = open::local(at)?;
        let Unsupported { submodules, lfs, large: _ } = contents::left_out(&repository, self.place, sha)?;
        if !lfs.is_empty() {
            if self.git_at(at, &["lfs", "version"]).is_err() {
                return Err(GitError::NoLfs { sha: sha.clone() });
            }
            self.git_at(at, &["lfs", "install", "--local", "--skip-repo", "--force"])?;
            self.git_at(at, &["lfs", "pull"])?;
        }
        if !submodules.is_empty() {
            self.git_at(at, &["submodule", "--quiet", "update", "--init"])?;
        }
        for submodule in submodules {
            let below = at.join(&submodule);
            // A submodule missing from `.gitmodules` cannot be fetched, not even by `git`. Only `git` creates a
            // `.git`: what looks like a bare repository may be committed files, whose configuration would be obeyed.
            if below.join(".git").symlink_metadata().is_ok()
                && let Ok(repository) = open::local(&below)
                && let Some(head) = repository.head().ok().and_then(|head| head.target())
            {
                self.complete(&below, &object::sha(head))?;
            }
        }
        Ok(())
    }

    fn git(&self, arguments: &[&str]) -> Result<(), GitError> {
        self.git_at(self.into, arguments)
    }

    fn git_at(&self, at: &Path, arguments: &[&str]) -> Result<(), GitError> {
        let failed = |error| started(self.place, error);
        let mut stderr = tempfile::tempfile().map_err(failed)?;
        let mut child = command::command_with(self.environment)
            .current_dir(at)
            .envs(self.ssh.map(|ssh| ("GIT_SSH_COMMAND", ssh)))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr.try_clone().map_err(failed)?)
            // Its own process group, so that the children of `git` can be killed with it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break Some(status);
            }
            if command::is_loud(&stderr) {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                child.wait().map_err(failed)?;
                break None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(POLL);
        };
        if status.is_some_and(|status| status.success()) {
            return Ok(());
        }
        let said = classify::said(&heard(&mut stderr), self.url);
        let problem = match status {
            Some(_) => classify::problem(&said.0, None),
            None => RemoteProblem::TooMuch,
        };
        Err(GitError::Remote { place: self.place.to_string(), problem, said })
    }
}
