//! Resolves a key to its file below the root without following symbolic links: in one call if the system supports it
//! (openat2(2), Linux 5.6), otherwise one directory at a time.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::blobs::BlobKey;

/// Mode of new directories, subject to the umask.
const DIRECTORY: Mode = Mode::from_raw_mode(0o777);
const INTO: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Never leaves the root, and follows no symbolic link.
const DOWN: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// How often a writer tolerates that a directory vanishes. Only removing its last blob does that, so more in a row
/// means that someone is deleting the store.
const TRIES: u32 = 1000;

/// Opens the root. Only the root may be, or be behind, a symbolic link: its configuration is trusted.
pub fn open_root(root: &Path, make: bool) -> io::Result<OwnedFd> {
    let open = || fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    match open() {
        Err(Errno::NOENT) if make => {
            // Readable by its user only: logs may reveal more than their writers think.
            DirBuilder::new().recursive(true).mode(0o700).create(root)?;
            Ok(open()?)
        }
        opened => Ok(opened?),
    }
}

/// Calls `act` with the directory of the key's file and the name of the file in it.
///
/// With `make`, creates missing directories, and starts over if `act` finds that they were removed in the meantime.
pub fn with_parent<T>(
    root: &Path,
    key: &BlobKey,
    make: bool,
    mut act: impl FnMut(BorrowedFd<'_>, &str) -> io::Result<T>,
) -> io::Result<T> {
    let (directories, name) = key.as_str().rsplit_once('/').unwrap_or(("", key.as_str()));
    let mut tries = if make { TRIES } else { 1 };
    loop {
        tries -= 1;
        let done = parent(root, directories, make).and_then(|parent| act(parent.as_fd(), name));
        match done {
            Err(error) if error.kind() == ErrorKind::NotFound && tries > 0 => {}
            done => return done,
        }
    }
}

/// Opens a blob for reading; `None` if it is not a file.
pub fn open_blob(parent: BorrowedFd<'_>, name: &str) -> io::Result<Option<File>> {
    // Opening a device can have side effects. Only root could swap one in after this check.
    let there = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(there.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(io::Error::other(Link(name.to_owned()))),
        _ => return Ok(None),
    }
    // A named pipe must not block the reader.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        fs::openat(parent, name, flags, Mode::empty()).map_err(|error| name_link(parent, name, error))?;
    let is_file = FileType::from_raw_mode(fs::fstat(&file)?.st_mode) == FileType::RegularFile;
    Ok(is_file.then(|| file.into()))
}

/// Removes a blob and any parent directories that become empty.
pub fn remove(root: &Path, key: &BlobKey) -> io::Result<()> {
    let (directories, name) = key.as_str().rsplit_once('/').unwrap_or(("", key.as_str()));
    let walked = walk(root, directories, false).and_then(|(above, parent)| {
        fs::unlinkat(&parent, name, AtFlags::empty())?;
        Ok(above)
    });
    let above = match walked {
        Ok(above) => above,
        Err(error) => {
            // Nothing has the key, or only something that is not a file and so not a blob.
            use ErrorKind::{IsADirectory, NotADirectory, NotFound};
            let absent = matches!(error.kind(), NotFound | NotADirectory | IsADirectory);
            return if absent { Ok(()) } else { Err(error) };
        }
    };
    for (directory, name) in above.iter().rev().zip(directories.rsplit('/')) {
        // Stop at the first directory that is in use or already gone. On any other error an empty directory remains,
        // which is harmless.
        if fs::unlinkat(directory, name, AtFlags::REMOVEDIR).is_err() {
            break;
        }
    }
    Ok(())
}

/// Opens a directory below another.
pub fn enter(from: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    fs::openat(from, name, INTO, Mode::empty()).map_err(|error| name_link(from, name, error))
}

/// Opens the directory at this path below the root.
fn parent(root: &Path, directories: &str, make: bool) -> io::Result<OwnedFd> {
    if let Ok(root) = open_root(root, false)
        && !directories.is_empty()
        && let Ok(found) = descend(root.as_fd(), directories, make)
    {
        return Ok(found);
    }
    // Slower, but with a clear error, and works without openat2.
    walk(root, directories, make).map(|(_, last)| last)
}

/// Like [`walk`] in one call; only trailing directories that are missing are created one by one.
fn descend(root: BorrowedFd<'_>, directories: &str, make: bool) -> Result<OwnedFd, Errno> {
    match fs::openat2(root, directories, INTO, Mode::empty(), DOWN) {
        Err(Errno::NOENT) if make => match directories.rsplit_once('/') {
            Some((above, name)) => make_in(descend(root, above, make)?.as_fd(), name),
            None => make_in(root, directories),
        },
        found => found,
    }
}

/// Opens a directory below another, creating it if needed.
fn make_in(from: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    match fs::mkdirat(from, name, DIRECTORY) {
        Ok(()) | Err(Errno::EXIST) => fs::openat(from, name, INTO, Mode::empty()),
        Err(error) => Err(error),
    }
}

/// Opens all directories of a path: those above the last one, from the root on, and the last one.
fn walk(root: &Path, directories: &str, make: bool) -> io::Result<(Vec<OwnedFd>, OwnedFd)> {
    let mut above = Vec::new();
    let mut here = open_root(root, make)?;
    for name in directories.split('/').filter(|name| !name.is_empty()) {
        let next = match enter(here.as_fd(), name) {
            Err(error) if make && error.kind() == ErrorKind::NotFound => {
                make_in(here.as_fd(), name).map_err(|error| name_link(here.as_fd(), name, error))?
            }
            next => next?,
        };
        above.push(std::mem::replace(&mut here, next));
    }
    Ok((above, here))
}

/// Replaces the system's error for a symbolic link, which is hard to understand.
fn name_link(parent: BorrowedFd<'_>, name: &str, error: Errno) -> io::Error {
    let is_link = matches!(error, Errno::LOOP | Errno::NOTDIR)
        && fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    if is_link {
        return io::Error::other(Link(name.to_owned()));
    }
    error.into()
}

/// A symbolic link instead of a file or directory.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is a symbolic link, which katkit does not follow")]
struct Link(String);

/// Whether the error is due to a symbolic link.
pub fn is_link(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Link>())
}

/// Creates and opens `name` below the root: a directory of the store itself, beside those of keys.
pub fn own_directory(root: &Path, name: &str) -> io::Result<OwnedFd> {
    let (_, directory) = walk(root, name, true)?;
    Ok(directory)
}
