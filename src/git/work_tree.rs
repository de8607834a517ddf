//! The work tree that contains a directory: the starting point of a new manifest.

use std::path::Path;

use git2::Repository;

use super::tracked;

/// A directory in a work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkTree {
    /// The relative path from the directory to the root of the work tree: `.`, `..`, `../..`.
    pub root: String,
    /// The directory relative to the root; empty for the root itself.
    pub folder: String,
    /// The branch that is checked out, if any.
    pub branch: Option<String>,
}

impl WorkTree {
    /// The work tree around `directory`; `None` outside of any.
    pub fn around(directory: &Path) -> Option<Self> {
        let directory = directory.canonicalize().ok()?;
        let repository = Repository::discover(&directory).ok();
        let root = match &repository {
            Some(repository) => repository.workdir()?,
            // In a format that libgit2 does not read.
            None => tracked::work_tree(&directory)?,
        };
        let root = root.canonicalize().ok()?;
        let folder = directory.strip_prefix(&root).ok()?.to_str()?.to_owned();
        let up = directory.strip_prefix(&root).ok()?.components().map(|_| "..").collect::<Vec<_>>().join("/");
        // Works in a repository without commits too, whose branch does not exist yet.
        let head = repository.as_ref().and_then(|repository| repository.find_reference("HEAD").ok());
        let target = head.as_ref().and_then(|head| head.symbolic_target().ok().flatten());
        let branch = target.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
        Some(Self { root: if up.is_empty() { ".".to_owned() } else { up }, folder, branch })
    }
}
