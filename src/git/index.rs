//! Which files of a work tree git tracks, read from the index alone.
//!
//! This opens no repository: in a container the checkout often belongs to another user, and libgit2 refuses such a
//! repository because its configuration could make git run programs. The index is only a list of paths.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use git2::Index;

use super::tracked;

/// Tells whether git tracks a file. Reads each index once.
#[derive(Default)]
pub struct TrackedFiles {
    /// The work tree around each directory; `None` if there is none.
    around: RefCell<BTreeMap<PathBuf, Option<Rc<Tree>>>>,
}

/// A work tree and its index.
struct Tree {
    root: PathBuf,
    index: Index,
}

impl std::fmt::Debug for TrackedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let roots = self.around.borrow();
        let roots = roots.iter().map(|(at, tree)| (at, tree.as_ref().map(|tree| &tree.root)));
        f.debug_map().entries(roots).finish()
    }
}

impl TrackedFiles {
    /// Whether `file`, or the symbolic link of that name, is in the index of its work tree; `false` outside of any work
    /// tree. The index includes files that are staged and not yet committed.
    ///
    /// The path is absolute, and its directory contains no symbolic links.
    pub fn contain(&self, file: &Path) -> io::Result<bool> {
        let Some(directory) = file.parent() else { return Ok(false) };
        let Some(tree) = self.tree(directory)? else { return Ok(false) };
        let Ok(inside) = file.strip_prefix(&tree.root) else { return Ok(false) };
        // During a merge, the index may hold only the versions of each side.
        Ok((0..=3).any(|stage| tree.index.get_path(inside, stage).is_some()))
    }

    fn tree(&self, directory: &Path) -> io::Result<Option<Rc<Tree>>> {
        if let Some(known) = self.around.borrow().get(directory) {
            return Ok(known.clone());
        }
        let tree = match root(directory) {
            None => None,
            Some((root, _)) if root != directory => self.tree(&root)?,
            Some((root, git)) => {
                let index = Index::open(&git.join("index"))
                    .map_err(|error| io::Error::other(error.message().to_owned()))?;
                Some(Rc::new(Tree { root, index }))
            }
        };
        self.around.borrow_mut().insert(directory.to_owned(), tree.clone());
        Ok(tree)
    }
}

/// The root of the work tree around `directory`, and its git directory; `None` outside of any work tree.
fn root(directory: &Path) -> Option<(PathBuf, PathBuf)> {
    directory.ancestors().find_map(|root| {
        let git = tracked::git_directory(root)?;
        // Without a `HEAD`, git itself looks further up.
        git.join("HEAD").symlink_metadata().is_ok().then(|| (root.to_owned(), git))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_git_that_is_a_pipe_is_ignored_without_waiting_for_its_writer() {
        let directory = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(directory.path().join(".git")).status();
        assert!(made.unwrap().success());
        assert!(!TrackedFiles::default().contain(&directory.path().join("katkit.toml")).unwrap());
    }
}
