//! The directories that a phase works in.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::fleet::process::wipe;

/// A private directory tree for one phase; see [`WorkDirectory::remove`].
///
/// Never reused, although that would be faster: a container that the code left running may have mounted part of it, and
/// would see the next phase's files.
#[derive(Debug)]
pub struct WorkDirectory {
    root: PathBuf,
}

impl WorkDirectory {
    /// Creates the directories in `root`, which must not exist; if `None`, in the system's temporary directory.
    pub fn create(root: Option<PathBuf>) -> io::Result<Self> {
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        let root = match root {
            Some(root) => {
                private(&root)?;
                root
            }
            None => tempfile::Builder::new().prefix("katkit-").tempdir()?.keep(),
        };
        let work = Self { root };
        for directory in [work.home(), work.temporary(), work.artifacts(), work.inputs()] {
            private(&directory)?;
        }
        Ok(work)
    }

    /// Where the commit is checked out. Not created here.
    pub fn checkout(&self) -> PathBuf {
        self.root.join("checkout")
    }

    /// `HOME`: empty, so that no settings or credentials of the user leak in.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// `TMPDIR`.
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// `KATKIT_ARTIFACTS`.
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// `KATKIT_INPUTS`.
    pub fn inputs(&self) -> PathBuf {
        self.root.join("inputs")
    }

    /// `KATKIT_PEERS`. Not created here.
    pub fn peers(&self) -> PathBuf {
        self.root.join("peers.json")
    }

    /// Where the pack is stored before the checkout.
    pub fn pack(&self) -> PathBuf {
        self.root.join("commit.pack")
    }

    /// Removes everything, to free the disk space. Removing the service removes what is left.
    pub async fn remove(self) {
        // Off the heartbeat's thread: the tree may be large and the disk slow.
        let _ = spawn_blocking(move || wipe(&self.root)).await;
    }
}

/// Whether `path` is inside the checkout once symbolic links are resolved.
pub fn is_inside(path: &Path, checkout: &Path) -> bool {
    // The common case: no links between the two.
    let is_plain = |path: &Path| path.symlink_metadata().is_ok_and(|about| !about.is_symlink());
    let goes_down = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if path.strip_prefix(checkout).is_ok_and(goes_down)
        && path.ancestors().take_while(|above| *above != checkout).all(is_plain)
    {
        return true;
    }
    matches!((path.canonicalize(), checkout.canonicalize()), (Ok(path), Ok(root)) if path.starts_with(&root))
}
