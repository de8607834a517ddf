//! Lists keys in byte order, reading only directories that can contain matching ones.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{self, AtFlags, Dir, FileType};
use rustix::io::Errno;

use crate::blobs::{BlobKey, Listed};

use super::tree;

/// See [`crate::blobs::Blobs::list`].
pub fn list(root: &Path, prefix: &BlobKey, after: Option<&BlobKey>) -> io::Result<Vec<Listed>> {
    let mut here = ignore_absent(tree::open_root(root, false))?;
    for name in prefix.as_str().split('/') {
        let Some(directory) = here else { return Ok(Vec::new()) };
        here = ignore_absent(tree::enter(directory.as_fd(), name))?;
    }
    let mut found = Vec::new();
    if let Some(directory) = here {
        collect(&directory, &format!("{prefix}/"), after.map_or("", BlobKey::as_str), &mut found)?;
    }
    Ok(found)
}

/// A directory entry, with a name that sorts like its keys.
struct Entry {
    /// Directories have a trailing `/`, because all keys below continue with one: `a-b` comes before `a/b`.
    name: String,
    is_directory: bool,
    size: u64,
    modified: Option<Timestamp>,
}

/// Collects the keys in a directory; `path` is its path with a trailing `/`. The maximum length of a key bounds the
/// depth: nothing deeper has a key, however deep a phase nested it.
fn collect(directory: &OwnedFd, path: &str, after: &str, found: &mut Vec<Listed>) -> io::Result<()> {
    for Entry { name, is_directory, size, modified } in entries(directory)? {
        let whole = format!("{path}{name}");
        if is_directory {
            // Every key below begins with `whole`: all of them come before `after`, unless that also begins with it.
            if whole.as_str() < after && !after.starts_with(&whole) || whole.len() > BlobKey::LONGEST {
                continue;
            }
            let below = tree::enter(directory.as_fd(), name.trim_end_matches('/'));
            if let Some(below) = ignore_absent(below)? {
                collect(&below, &whole, after, found)?;
            }
        } else if whole.as_str() > after
            && let Ok(key) = BlobKey::new(whole)
        {
            found.push(Listed { key, size, modified });
        }
    }
    Ok(())
}

/// Files and directories; links, pipes and the like are ignored.
fn entries(directory: &OwnedFd) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") {
            continue;
        }
        let stat = match fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Removed since the directory was read.
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let name = format!("{name}/");
                entries.push(Entry { name, is_directory: true, size: 0, modified: None });
            }
            FileType::RegularFile => {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                let nanosecond = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
                let modified = Timestamp::new(stat.st_mtime, nanosecond).ok();
                entries.push(Entry { name: name.to_owned(), is_directory: false, size, modified });
            }
            _ => {}
        }
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn ignore_absent(opened: io::Result<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match opened {
        Ok(directory) => Ok(Some(directory)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::fs::{Mode, OFlags, mkdirat, openat};

    use super::*;

    #[test]
    fn directories_deeper_than_any_key_are_not_entered() {
        let root = tempfile::tempdir().unwrap();
        let mut below: OwnedFd = std::fs::File::open(root.path()).unwrap().into();
        for name in ["dev"].into_iter().chain(std::iter::repeat_n("d", 4_000)) {
            mkdirat(&below, name, Mode::RWXU).unwrap();
            below = openat(&below, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        std::fs::write(root.path().join("dev/d/found"), "").unwrap();
        // A small stack, which entering them all would overflow.
        let path = root.path().to_owned();
        let listing = move || list(&path, &BlobKey::new("dev").unwrap(), None).unwrap();
        let found = std::thread::Builder::new().stack_size(1 << 20).spawn(listing).unwrap().join().unwrap();
        let keys: Vec<_> = found.iter().map(|listed| listed.key.as_str()).collect();
        assert_eq!(keys, ["dev/d/found"]);
        // Recursion in the standard library is not made for this depth.
        assert!(Command::new("rm").arg("-rf").arg(root.path().join("dev")).status().unwrap().success());
    }
}
