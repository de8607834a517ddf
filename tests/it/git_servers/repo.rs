//! A repository created by a test.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use katkit::domain::CommitSha;
use katkit::git::GitError;
use tempfile::TempDir;

use super::Environment;

/// A repository with a work tree, in its own directory.
#[derive(Debug)]
pub struct Repo {
    path: PathBuf,
    _directory: TempDir,
}

/// Runs `git` with only the test's configuration, and returns its output.
pub fn git(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(at)
        .args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .output()
        .expect("`git` is needed for this test: apt-get install git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Like [`katkit::git::clone`], with this process's environment plus these variables.
pub fn clone(
    url: &str,
    sha: &CommitSha,
    depth: u32,
    into: &Path,
    more: &[(OsString, OsString)],
) -> Result<(), GitError> {
    let environment: Environment = std::env::vars_os().chain(more.iter().cloned()).collect();
    katkit::git::clone(url, sha, depth, into, &environment)
}

impl Repo {
    /// An empty repository whose branch is `main`.
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let repo = Self { path: directory.path().join("shop"), _directory: directory };
        fs::create_dir(repo.path()).unwrap();
        git(repo.path(), &["init", "--quiet"]);
        repo
    }

    /// Path of the work tree.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as a URL.
    pub fn url(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// Runs `git` in the repository.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    /// Writes files and commits everything.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> CommitSha {
        for (name, content) in files {
            self.write(name, content.as_bytes());
        }
        self.commit_all(message)
    }

    /// Writes a file into the work tree.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Commits everything in the work tree.
    pub fn commit_all(&self, message: &str) -> CommitSha {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.head()
    }

    /// The commit at `HEAD`.
    pub fn head(&self) -> CommitSha {
        CommitSha::new(self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    /// A commit of one file whose root tree has exactly these bytes, which `git` itself would refuse to create.
    pub fn commit_of_raw_tree(&self, entries: &[(&str, &[u8], git2::Oid)]) -> CommitSha {
        let repository = git2::Repository::open(self.path()).unwrap();
        let tree = self.raw_tree(entries);
        let text = format!(
            "tree {tree}\nauthor Eve <eve@example.com> 1700000000 +0000\ncommitter Eve <eve@example.com> 1700000000 +0000\n\nhostile\n"
        );
        let id = repository.odb().unwrap().write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
        CommitSha::new(id.to_string()).unwrap()
    }

    /// A tree object with exactly these entries: mode, name, object.
    pub fn raw_tree(&self, entries: &[(&str, &[u8], git2::Oid)]) -> git2::Oid {
        let repository = git2::Repository::open(self.path()).unwrap();
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend([mode.as_bytes(), b" ", name, b"\0", id.as_bytes()].concat());
        }
        repository.odb().unwrap().write(git2::ObjectType::Tree, &raw).unwrap()
    }

    /// A blob.
    pub fn blob(&self, content: &[u8]) -> git2::Oid {
        git2::Repository::open(self.path()).unwrap().blob(content).unwrap()
    }
}
