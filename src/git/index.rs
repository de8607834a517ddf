//! Which files of a work tree git tracks, read from the index alone.
//!
//! No repository is opened for it: in a container the checkout often belongs to somebody else, which libgit2 refuses
//! because of what a configuration can make git do. The index is nothing but a list of paths.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use git2::Index;

use super::tracked;

/// What git tracks around the files that were asked for, each index read once.
#[derive(Default)]
pub struct TrackedFiles {
    /// By the directory of a file, the work tree around it.
    around: RefCell<BTreeMap<PathBuf, Option<Rc<Tree>>>>,
}

/// A work tree with its index.
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
    /// Whether `file`, or the symbolic link of that name, is in the index of the work tree that it lies in; `false` where it
    /// lies in none. What is staged and not yet committed is in the index.
    ///
    /// The path is absolute, and its directory has no symbolic links in it.
    pub fn contain(&self, file: &Path) -> io::Result<bool> {
        let Some(directory) = file.parent() else { return Ok(false) };
        let Some(tree) = self.tree(directory)? else { return Ok(false) };
        let Ok(inside) = file.strip_prefix(&tree.root) else { return Ok(false) };
        // In the middle of a merge there is only what each side has.
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

/// The root of the work tree around `directory`, and where its index is kept; `None` outside of any.
fn root(directory: &Path) -> Option<(PathBuf, PathBuf)> {
    directory.ancestors().find_map(|root| {
        let git = tracked::git_directory(root)?;
        // Without one git itself looks further up.
        git.join("HEAD").symlink_metadata().is_ok().then(|| (root.to_owned(), git))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_that_is_a_pipe_is_none_and_nobody_waits_for_its_writer() {
        let directory = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(directory.path().join(".git")).status();
        assert!(made.unwrap().success());
        assert!(!TrackedFiles::default().contain(&directory.path().join("katkit.toml")).unwrap());
    }
}
