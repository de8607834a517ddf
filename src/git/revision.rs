//! The files of a work tree as they were at a revision, read without touching the work tree.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use git2::{ErrorCode, ObjectType, Repository, RepositoryOpenFlags, TreeWalkMode, TreeWalkResult};

use super::{GitError, open, tracked};

/// A revision of the repository that a path lies in.
pub struct Revision {
    repository: Repository,
    tree: git2::Oid,
    root: PathBuf,
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revision").field("tree", &self.tree).field("root", &self.root).finish_non_exhaustive()
    }
}

impl Revision {
    /// The revision `text` (a sha, branch, tag, `HEAD~1`, …) of the repository whose work tree holds `path`.
    pub fn open(path: &Path, text: &str) -> Result<Self, GitError> {
        open::settle();
        let place = || path.display().to_string();
        // Not by libgit2's search: that takes a directory for a bare repository which a commit of the real one made like it.
        let root = tracked::work_tree(path)
            .ok_or_else(|| GitError::NotARepository { place: place(), inside: None })?
            .to_owned();
        let inner = tracked::is_submodule(&root).map_err(|error| GitError::io("read", &root, error))?;
        if inner {
            return Err(GitError::Submodule { place: root.display().to_string() });
        }
        let none: [&OsStr; 0] = [];
        let repository = Repository::open_ext(&root, RepositoryOpenFlags::NO_SEARCH, none);
        let repository = repository.map_err(|error| match error.code() {
            ErrorCode::Owner => GitError::NotOwned { place: place() },
            _ => GitError::unreadable(place(), error),
        })?;
        let unknown = |_| GitError::Unknown {
            place: root.display().to_string(),
            text: text.to_owned(),
            near: Vec::new(),
        };
        let tree = repository.revparse_single(text).map_err(unknown)?.peel_to_tree().map_err(unknown)?.id();
        Ok(Self { repository, tree, root })
    }

    /// The content of a file of the work tree at the revision. It is read only if `fits`, asked with its size in bytes,
    /// does not fail.
    pub fn read(&self, path: &Path, fits: impl FnOnce(u64) -> io::Result<()>) -> io::Result<Vec<u8>> {
        let tree = self.repository.find_tree(self.tree).map_err(io::Error::other)?;
        let entry = tree.get_path(&self.inside(path)?).map_err(|error| match error.code() {
            ErrorCode::NotFound => io::Error::new(io::ErrorKind::NotFound, "it is not in that revision"),
            _ => io::Error::other(error),
        })?;
        if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == 0o120_000 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file in that revision",
            ));
        }
        // The size is known from the header, so that a huge file is never read.
        let odb = self.repository.odb().map_err(io::Error::other)?;
        let (size, _) = odb.read_header(entry.id()).map_err(io::Error::other)?;
        fits(size as u64)?;
        Ok(odb.read(entry.id()).map_err(io::Error::other)?.data().to_vec())
    }

    /// Every file of the revision below `directory`, sorted, as paths of the work tree.
    pub fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let tree = self.repository.find_tree(self.tree).map_err(io::Error::other)?;
        let below = self.inside(directory)?;
        let mut files = Vec::new();
        let walked = tree.walk(TreeWalkMode::PreOrder, |parent, entry| {
            let Ok(name) = entry.name() else { return TreeWalkResult::Skip };
            let path = Path::new(parent).join(name);
            if entry.kind() == Some(ObjectType::Blob) && path.starts_with(&below) {
                files.push(self.root.join(path));
            }
            TreeWalkResult::Ok
        });
        walked.map_err(io::Error::other)?;
        files.sort();
        Ok(files)
    }

    /// A path relative to the root of the work tree, without `.` and `..`.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let mut plain = PathBuf::new();
        for component in path.components() {
            match component {
                Component::ParentDir => drop(plain.pop()),
                Component::CurDir => {}
                other => plain.push(other),
            }
        }
        let root = std::fs::canonicalize(&self.root)?;
        let inside = plain.strip_prefix(&root).or_else(|_| plain.strip_prefix(&self.root));
        inside.map(Path::to_owned).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "it lies outside of the repository that the manifest is in",
            )
        })
    }
}
