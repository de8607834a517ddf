//! The directories that a phase works in.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::fleet::process::wipe;

/// A private directory with all that a phase needs; removed with it, see [`Work::remove`].
///
/// It is never used again, though that would be faster: a container that the code left running may have mounted a part of it, and
/// would see the next phase's.
#[derive(Debug)]
pub struct Work {
    root: PathBuf,
}

impl Work {
    /// Makes the directories in `root`, which must not exist; without one, in the system's temporary directory.
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
        for directory in [work.home(), work.temporary(), work.artifacts()] {
            private(&directory)?;
        }
        Ok(work)
    }

    /// Where the commit is checked out; not made yet.
    pub fn checkout(&self) -> PathBuf {
        self.root.join("checkout")
    }

    /// `HOME`: nobody's, so that neither settings nor credentials of the user leak in.
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

    /// Where the pack goes before it is checked out.
    pub fn pack(&self) -> PathBuf {
        self.root.join("commit.pack")
    }

    /// Removes it all, so that its room is free again. What cannot be removed is left to who removes the service.
    pub async fn remove(self) {
        // Off the thread that keeps the heartbeat: a tree may be large, and its disk slow.
        let _ = spawn_blocking(move || wipe(&self.root)).await;
    }
}
