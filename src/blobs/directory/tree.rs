//! Goes from the root to where a key's file is without following a symbolic link: at once where the system can (openat2(2),
//! Linux 5.6), else one directory at a time.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::blobs::BlobKey;

/// As the user's umask makes of it.
const DIRECTORY: Mode = Mode::from_raw_mode(0o777);
const INTO: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Nowhere else than down, and over no symbolic link.
const DOWN: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// How often a directory may vanish under the feet of a writer. Only the removal of the last blob in it does that, so
/// more in a row is not bad luck but a store that someone is deleting.
const TRIES: u32 = 1000;

/// Opens the root. It alone may be, or lie behind, a symbolic link: whoever configured it meant it so.
pub fn open_root(root: &Path, make: bool) -> io::Result<OwnedFd> {
    let open = || fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    match open() {
        Err(Errno::NOENT) if make => {
            // For its user alone: logs tell more than their writers think.
            DirBuilder::new().recursive(true).mode(0o700).create(root)?;
            Ok(open()?)
        }
        opened => Ok(opened?),
    }
}

/// Calls `act` with the directory of the key's file, and the name of the file in it.
///
/// With `make`, directories that are missing are made; if `act` finds that they were removed meanwhile, all begins anew.
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

/// Opens a blob for reading; `None` if what has its name is not a file.
pub fn open_blob(parent: BorrowedFd<'_>, name: &str) -> io::Result<Option<File>> {
    // Opening a device can have side effects. Only root could swap one in for the file right now.
    let there = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(there.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(io::Error::other(Link(name.to_owned()))),
        _ => return Ok(None),
    }
    // A named pipe must not make the reader wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        fs::openat(parent, name, flags, Mode::empty()).map_err(|error| name_link(parent, name, error))?;
    let is_file = FileType::from_raw_mode(fs::fstat(&file)?.st_mode) == FileType::RegularFile;
    Ok(is_file.then(|| file.into()))
}

/// Removes a blob, and the directories that are empty without it.
pub fn remove(root: &Path, key: &BlobKey) -> io::Result<()> {
    let (directories, name) = key.as_str().rsplit_once('/').unwrap_or(("", key.as_str()));
    let walked = walk(root, directories, false).and_then(|(above, parent)| {
        fs::unlinkat(&parent, name, AtFlags::empty())?;
        Ok(above)
    });
    let above = match walked {
        Ok(above) => above,
        Err(error) => {
            // Nothing has the key, or something that is not a file, which is no blob.
            use ErrorKind::{IsADirectory, NotADirectory, NotFound};
            let absent = matches!(error.kind(), NotFound | NotADirectory | IsADirectory);
            return if absent { Ok(()) } else { Err(error) };
        }
    };
    for (directory, name) in above.iter().rev().zip(directories.rsplit('/')) {
        // Not empty, or gone: either ends it. That it could not be removed leaves nothing but an empty directory.
        if fs::unlinkat(directory, name, AtFlags::REMOVEDIR).is_err() {
            break;
        }
    }
    Ok(())
}

/// Opens one directory below another.
pub fn enter(from: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    fs::openat(from, name, INTO, Mode::empty()).map_err(|error| name_link(from, name, error))
}

/// The directory below the root with this path.
fn parent(root: &Path, directories: &str, make: bool) -> io::Result<OwnedFd> {
    if let Ok(root) = open_root(root, false)
        && !directories.is_empty()
        && let Ok(found) = descend(root.as_fd(), directories, make)
    {
        return Ok(found);
    }
    // It says what is wrong, and does without openat2.
    walk(root, directories, make).map(|(_, last)| last)
}

/// The same at once: of the directories that are missing, only the last few are gone through one by one.
fn descend(root: BorrowedFd<'_>, directories: &str, make: bool) -> Result<OwnedFd, Errno> {
    match fs::openat2(root, directories, INTO, Mode::empty(), DOWN) {
        Err(Errno::NOENT) if make => match directories.rsplit_once('/') {
            Some((above, name)) => make_in(descend(root, above, make)?.as_fd(), name),
            None => make_in(root, directories),
        },
        found => found,
    }
}

/// Makes a directory below another, unless it is there, and opens it.
fn make_in(from: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    match fs::mkdirat(from, name, DIRECTORY) {
        Ok(()) | Err(Errno::EXIST) => fs::openat(from, name, INTO, Mode::empty()),
        Err(error) => Err(error),
    }
}

/// The directories above the last one, from the root on, and the last one.
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

/// What the system says of a symbolic link that is not followed is hard to understand.
fn name_link(parent: BorrowedFd<'_>, name: &str, error: Errno) -> io::Error {
    let is_link = matches!(error, Errno::LOOP | Errno::NOTDIR)
        && fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    if is_link {
        return io::Error::other(Link(name.to_owned()));
    }
    error.into()
}

/// A symbolic link in the place of a file or directory.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is a symbolic link, and those are not followed")]
struct Link(String);

/// Whether an error says that a symbolic link is in the way.
pub fn is_link(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Link>())
}

/// Makes `name` below the root and opens it: the store's own directory, beside those of keys.
pub fn own_directory(root: &Path, name: &str) -> io::Result<OwnedFd> {
    let (_, directory) = walk(root, name, true)?;
    Ok(directory)
}
