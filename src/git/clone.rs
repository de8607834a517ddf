//! The agent's side of `checkout = "clone"`: the `git` executable inside the phase, with the phase's credentials.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::command::{self, LOOK, heard, started};
use super::contents::{self, Unsupported};
use super::place::Place;
use super::{GitError, Trouble, classify, open};
use crate::domain::CommitSha;

/// The name of the commit while it is fetched.
const FETCHED: &str = "refs/katkit/fetched";

/// Clones a repository with its submodules and LFS files into `into`, hard-reset to `sha`. Blocks.
///
/// `depth` counts commits of history; `u32::MAX` is all. A host that does not give commits out by id is asked for everything.
///
/// `environment` is all that `git`, and what it starts, gets of variables: none of this process's own.
pub fn clone(
    url: &str,
    sha: &CommitSha,
    depth: u32,
    into: &Path,
    environment: &[(OsString, OsString)],
) -> Result<(), GitError> {
    let place = Place::parse(url)?;
    std::fs::create_dir_all(into).map_err(|error| GitError::io("created", into, error))?;
    // The commands run inside `into`, where a relative path would mean something else.
    let url = match &place {
        Place::Local(path) => std::path::absolute(path)
            .map_err(|error| GitError::io("read", path, error))?
            .to_string_lossy()
            .into_owned(),
        Place::Remote(url) => url.clone(),
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
    // Pointers first: a filter that is configured, but not installed, would fail with a riddle.
    let unfiltered = ["filter.lfs.process=", "filter.lfs.smudge=", "filter.lfs.required=false"]
        .map(|setting| ["-c", setting]);
    let checkout = ["checkout", "--quiet", "--force", "--detach", sha.as_str()];
    clone.git(&[unfiltered.as_flattened(), &checkout].concat())?;
    clone.complete(into, sha)
}

struct Clone<'a> {
    place: &'a Place,
    url: &'a str,
    into: &'a Path,
    environment: &'a [(OsString, OsString)],
    ssh: Option<&'static str>,
}

impl Clone<'_> {
    /// Brings the commit: by its id alone where the host allows that, else with all branches and tags.
    fn fetch(&self, sha: &CommitSha, depth: u32) -> Result<(), GitError> {
        let everything = ["fetch", "--quiet", "--tags", "--force", "origin"];
        if depth != u32::MAX {
            let depth = format!("--depth={}", depth.max(1));
            // Only with a name for what is fetched do its tags come as well.
            let named = format!("+{sha}:{FETCHED}");
            match self.git(&["fetch", "--quiet", &depth, "origin", &named]) {
                Err(GitError::Remote { trouble: Trouble::NotOurs, .. }) => {}
                done => return done.and_then(|()| self.git(&["update-ref", "-d", FETCHED])),
            }
        }
        self.git(&everything)?;
        let there = format!("{sha}^{{commit}}");
        if self.git(&["cat-file", "-e", &there]).is_ok() {
            return Ok(());
        }
        match self.git(&["fetch", "--quiet", "origin", sha.as_str()]) {
            Err(GitError::Remote { trouble: Trouble::NotOurs, .. }) => {
                Err(GitError::Missing { place: self.place.to_string(), sha: sha.clone(), shallow: false })
            }
            done => done,
        }
    }

    /// Brings what the commit only points to: submodules, theirs, and the files that Git LFS keeps.
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
            // One that `.gitmodules` does not name is nowhere to be found, for `git` as well. Only `git` makes a `.git`: what
            // looks like a bare repository may be files of the commit, and its configuration would be obeyed.
            if below.join(".git").symlink_metadata().is_ok()
                && let Ok(repository) = open::local(&below)
                && let Some(head) = repository.head().ok().and_then(|head| head.target())
            {
                self.complete(&below, &open::sha(head))?;
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
            // A group of its own, so that what `git` started can be ended with it.
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
            pause = (pause * 2).min(LOOK);
        };
        if status.is_some_and(|status| status.success()) {
            return Ok(());
        }
        let said = classify::said(&heard(&mut stderr), self.url);
        let trouble = match status {
            Some(_) => classify::trouble(&said.0, None),
            None => Trouble::TooMuch,
        };
        Err(GitError::Remote { place: self.place.to_string(), trouble, said })
    }
}
