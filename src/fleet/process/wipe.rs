//! Removes a directory tree, whatever a phase did to it.
//!
//! The tree is removed top-down, at most [`DEEPEST`] levels at a time; deeper directories are first moved up to just
//! below the root. This way a tree may be thousands of levels deep while few directories are open. Symbolic links are
//! unlinked, never followed. Other file systems and bind mounts are never entered: a mount point can be neither moved
//! nor removed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::fault::at;

/// Levels to descend before directories are moved up.
const DEEPEST: u32 = 16;

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes `path` and everything in it. Does nothing if it is gone. If some entry cannot be removed, the rest still is.
pub fn wipe(path: &Path) -> io::Result<()> {
    take_apart(path).map_err(at("removed", path))
}

fn take_apart(path: &Path) -> io::Result<()> {
    let root = match rustix::fs::open(path, DIRECTORY, Mode::empty()) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        // A file or a symbolic link instead of a directory.
        Err(Errno::NOTDIR | Errno::LOOP) => return std::fs::remove_file(path),
        Err(Errno::ACCESS) => {
            rustix::fs::chmod(path, Mode::RWXU)?;
            rustix::fs::open(path, DIRECTORY, Mode::empty())?
        }
        Err(error) => return Err(error.into()),
    };
    let mut wiping = Wipe { root, moved: 0, problem: None };
    loop {
        let before = wiping.moved;
        wiping.empty(wiping.root.try_clone()?, 0);
        if wiping.moved == before || wiping.problem.is_some() {
            break;
        }
    }
    if let Some(error) = wiping.problem {
        return Err(error);
    }
    match rustix::fs::rmdir(path) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Wipe {
    root: OwnedFd,
    /// Number of directories moved up; numbers their new names.
    moved: u64,
    /// The first entry that could not be removed.
    problem: Option<io::Error>,
}

impl Wipe {
    /// Removes the content of `directory`, or moves it below the root.
    fn empty(&mut self, directory: OwnedFd, depth: u32) {
        let (directory, entries) = match entries(directory) {
            Ok(found) => found,
            Err(error) => return self.note(error, c"a directory"),
        };
        let Ok(directory) = directory.fd() else { return };
        for (name, kind) in entries {
            let removed = match kind {
                FileType::Directory => self.remove_directory(directory, &name, depth),
                _ => match unlink(directory, &name) {
                    // The listed kind is only a hint on file systems that do not report it.
                    Err(Errno::ISDIR) => self.remove_directory(directory, &name, depth),
                    other => other,
                },
            };
            if let Err(error) = removed {
                self.note(error, &name);
            }
        }
    }

    fn remove_directory(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: u32) -> Result<(), Errno> {
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(Errno::ACCESS | Errno::PERM) => {
                rustix::fs::fchmod(parent, Mode::RWXU)?;
                match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
                    Err(Errno::NOTEMPTY | Errno::EXIST) => {}
                    other => return other,
                }
            }
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error),
        }
        if depth < DEEPEST {
            let inner = open_directory(parent, name)?;
            self.empty(inner, depth + 1);
            // Leftovers were recorded as a problem, or moved below the root.
            return match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if self.problem.is_some() => Ok(()),
                other => other,
            };
        }
        // A directory must be writable to be moved, because its `..` changes.
        loop {
            self.moved += 1;
            let target = CString::new(format!(".katkit-{}", self.moved)).map_err(|_| Errno::INVAL)?;
            match rustix::fs::renameat(parent, name, &self.root, &target) {
                Err(Errno::ACCESS | Errno::PERM) => {
                    rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
                    rustix::fs::renameat(parent, name, &self.root, &target)?;
                    return Ok(());
                }
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                other => return other,
            }
        }
    }

    fn note(&mut self, error: Errno, name: &CStr) {
        if self.problem.is_none() {
            let error = io::Error::from(error);
            let what = format!("`{}`: {error}", name.to_string_lossy());
            self.problem = Some(io::Error::new(error.kind(), what));
        }
    }
}

fn open_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        }
        other => other,
    }
}

fn unlink(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ACCESS | Errno::PERM) => {
            rustix::fs::fchmod(parent, Mode::RWXU)?;
            rustix::fs::unlinkat(parent, name, AtFlags::empty())
        }
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// The open directory and its entries.
fn entries(directory: OwnedFd) -> Result<(Dir, Vec<(CString, FileType)>), Errno> {
    let mut directory = Dir::new(directory)?;
    // The root is listed more than once, and duplicates share their position in the list.
    directory.rewind();
    let mut found = Vec::new();
    while let Some(entry) = directory.read() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            found.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok((directory, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_tree_deeper_than_any_path_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("tree");
        fs::create_dir(&root).unwrap();
        let mut at = rustix::fs::open(&root, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&at, "deeper", Mode::RWXU).unwrap();
            rustix::fs::openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::empty()).unwrap();
            at = rustix::fs::openat(&at, "deeper", DIRECTORY, Mode::empty()).unwrap();
        }
        wipe(&root).unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn links_are_removed_and_never_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (root, outside) = (directory.path().join("tree"), directory.path().join("outside"));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "").unwrap();
        symlink(&outside, root.join("a/b/link")).unwrap();
        symlink(&outside, root.join("link")).unwrap();
        wipe(&root).unwrap();
        assert!(!root.exists() && outside.join("kept").exists());
        symlink(&outside, &root).unwrap();
        wipe(&root).unwrap();
        assert!(root.symlink_metadata().is_err() && outside.join("kept").exists());
        wipe(&root).unwrap();
    }

    #[test]
    fn directories_without_permissions_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("tree");
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/b/c/file"), "").unwrap();
        for closed in ["a/b/c", "a/b", "a", ""] {
            fs::set_permissions(root.join(closed), fs::Permissions::from_mode(0o0)).unwrap();
        }
        wipe(&root).unwrap();
        assert!(!root.exists());
    }
}
