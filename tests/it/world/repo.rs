//! A repository built step by step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::git_servers::git;

/// A repository under construction.
pub struct Repo {
    path: PathBuf,
    out: PathBuf,
    commits: BTreeMap<String, String>,
}

impl Repo {
    pub fn open(path: &Path, out: &Path) -> Self {
        if !path.exists() {
            fs::create_dir_all(path).unwrap();
            git(path, &["init", "--quiet"]);
        }
        Self { path: path.to_owned(), out: out.to_owned(), commits: BTreeMap::new() }
    }

    /// Writes `ci.sh` in the root.
    pub fn ci(self, script: &str) -> Self {
        self.file("ci.sh", script)
    }

    /// Writes a service description with one role.
    pub fn description(self, image: &str) -> Self {
        let text = format!(
            "{{\n  // What runs.\n  \"Roles\": [\n    {{ \"Name\": \"web\", \"DockerImage\": \"{image}\", \"Replicas\": 2 }},\n  ],\n}}\n"
        );
        self.file("servicedescription/servicedescription.js", &text)
    }

    /// Writes a file.
    pub fn file(self, name: &str, content: &str) -> Self {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.replace("@OUT@", self.out.to_str().unwrap())).unwrap();
        self
    }

    /// Copies every file below a directory to `place`.
    pub fn folder(self, from: &Path, place: &str) -> Self {
        let mut repo = self;
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{place}/{}", path.file_name().unwrap().to_str().unwrap());
            repo = if path.is_dir() {
                repo.folder(&path, &name)
            } else {
                repo.file(&name, &fs::read_to_string(&path).unwrap())
            };
        }
        repo
    }

    /// Makes a symbolic link.
    pub fn symlink(self, name: &str, target: &str) -> Self {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    /// Removes a file.
    pub fn without(self, name: &str) -> Self {
        fs::remove_file(self.path.join(name)).unwrap();
        self
    }

    /// Runs `git` in the repository.
    pub fn git(self, arguments: &[&str]) -> Self {
        git(&self.path, arguments);
        self
    }

    /// Commits everything; the message is the commit's name in the test.
    pub fn commit(self, message: &str) -> Self {
        self.commit_by("Ada <ada@example.com>", message)
    }

    /// The same, for another author.
    pub fn commit_by(mut self, author: &str, message: &str) -> Self {
        git(&self.path, &["add", "--all"]);
        git(&self.path, &["commit", "--quiet", "--allow-empty", "--author", author, "-m", message]);
        self.commits.insert(message.to_owned(), git(&self.path, &["rev-parse", "HEAD"]));
        self
    }

    /// Commits everything with a trailer in the message.
    pub fn commit_with(mut self, message: &str, trailer: &str) -> Self {
        git(&self.path, &["add", "--all"]);
        git(&self.path, &["commit", "--quiet", "--allow-empty", "-m", message, "--trailer", trailer]);
        self.commits.insert(message.to_owned(), git(&self.path, &["rev-parse", "HEAD"]));
        self
    }

    /// Commits what no work tree could hold: the last commit's tree, modified by `change`.
    pub fn commit_tree(
        mut self,
        message: &str,
        change: impl FnOnce(&git2::Repository, &mut git2::TreeBuilder<'_>),
    ) -> Self {
        let repository = git2::Repository::open(&self.path).unwrap();
        let head = repository.head().unwrap().peel_to_commit().unwrap();
        let mut root = repository.treebuilder(Some(&head.tree().unwrap())).unwrap();
        change(&repository, &mut root);
        let tree = repository.find_tree(root.write().unwrap()).unwrap();
        let author = git2::Signature::now("Ada", "ada@example.com").unwrap();
        let commit = repository.commit(Some("HEAD"), &author, &author, message, &tree, &[&head]).unwrap();
        self.commits.insert(message.to_owned(), commit.to_string());
        self
    }

    pub fn commits(self) -> BTreeMap<String, String> {
        self.commits
    }
}
