//! Temporary files: blobs that are still being written.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::tree;

/// Directory for temporary files. No key begins with `.`.
const DIRECTORY: &str = ".temporary";

/// A file that is removed on drop unless it was renamed to a blob.
#[derive(Debug)]
pub struct Temporary {
    directory: OwnedFd,
    name: String,
    file: File,
    renamed: bool,
}

impl Temporary {
    /// Creates an empty file.
    pub fn new(root: &Path) -> io::Result<Self> {
        Self::in_directory(tree::own_directory(root, DIRECTORY)?, "")
    }

    fn in_directory(directory: OwnedFd, prefix: &str) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let name = format!("{prefix}{}", unused_name());
            match fs::openat(&directory, &name, flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => return Ok(Self { directory, name, file: file.into(), renamed: false }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Turns it into the blob `name`, replacing any existing one. Always returns true.
    pub fn rename(&mut self, parent: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
        match fs::renameat(&self.directory, &self.name, parent, name) {
            Ok(()) => self.renamed = true,
            Err(Errno::XDEV) => self.copy_beside(parent)?.rename(parent, name).map(drop)?,
            Err(error) => return Err(self.explain(error)),
        }
        Ok(true)
    }

    /// Turns it into the blob `name`; false if there already is one.
    pub fn link(&mut self, parent: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
        // Dropping it unlinks the first name; a crash before that leaves two names of one complete file.
        match fs::linkat(&self.directory, &self.name, parent, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(Errno::XDEV) => self.copy_beside(parent)?.link(parent, name),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// A copy in the blob's directory: in a container, a part of the store is a separate mount, and files cannot be
    /// moved into it. A name with a `\` is not a valid key, so the copy is never mistaken for a blob.
    fn copy_beside(&self, parent: BorrowedFd<'_>) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut source = File::from(fs::openat(&self.directory, &self.name, flags, Mode::empty())?);
        let mut copy = Self::in_directory(parent.try_clone_to_owned()?, ".\\")?;
        io::copy(&mut source, copy.file())?;
        Ok(copy)
    }

    /// `NOENT` means that either the blob's directory is gone, which can be created again, or this file, which cannot.
    fn explain(&self, error: Errno) -> io::Error {
        let there = || fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let swept = error == Errno::NOENT && matches!(there(), Err(Errno::NOENT));
        if swept {
            return io::Error::other("its temporary file was removed during the write");
        }
        error.into()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // A leftover is swept later.
            let _ = fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

/// Removes files last modified more than `older_than` ago. Returns their number.
pub fn sweep(root: &Path, older_than: Duration) -> io::Result<usize> {
    each_older(root, older_than, |directory, name| match fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    })
}

/// Number of files last modified more than `older_than` ago.
pub fn abandoned(root: &Path, older_than: Duration) -> io::Result<usize> {
    each_older(root, older_than, |_, _| Ok(true))
}

/// Calls `take` with each file last modified more than `older_than` ago, and counts those it returns true for.
fn each_older(
    root: &Path,
    older_than: Duration,
    take: impl Fn(BorrowedFd<'_>, &CStr) -> io::Result<bool>,
) -> io::Result<usize> {
    let directory = match tree::open_root(root, false).and_then(|root| tree::enter(root.as_fd(), DIRECTORY)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        directory => directory?,
    };
    let now = since_epoch();
    let mut taken = 0;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = match fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        let written = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        // A file from the future, after the clock was set back, is kept for now.
        if now.checked_sub(written).is_none_or(|age| age < older_than) {
            continue;
        }
        taken += usize::from(take(directory.as_fd(), name)?);
    }
    Ok(taken)
}

/// Process ids repeat, even at the same time in two containers that share the store, so the name includes the
/// nanosecond of the process's first write. If a name is still in use, the next one is tried.
fn unused_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static STARTED: OnceLock<u128> = OnceLock::new();
    let started = STARTED.get_or_init(|| since_epoch().as_nanos());
    format!("{}-{started:x}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
