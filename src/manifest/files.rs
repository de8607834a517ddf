//! Access to the files of a manifest. The adapters are at the edges: a disk, and a git commit.

use std::io;
use std::path::{Component, Path, PathBuf};

/// The largest manifest file: 4 MiB, enough for 28 000 links. Malicious text costs the parser seventy times its size in
/// memory.
pub const LARGEST_FILE: u64 = 4 << 20;

/// Access to the files of a manifest: on disk, or in a commit.
pub trait ManifestFiles {
    /// The whole content of a file. Fails without reading it if [`check_size`] refuses its size.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files, sorted, whose paths relative to `directory` match the glob `pattern`.
    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// The canonical path of a file, with symbolic links resolved.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// Whether git tracks the file at this canonical path. False without git.
    fn is_tracked(&self, _canonical: &Path) -> io::Result<bool> {
        Ok(false)
    }

    /// Whether the path to this file goes through a symbolic link that git tracks.
    fn is_behind_tracked_link(&self, _path: &Path) -> io::Result<bool> {
        Ok(false)
    }
}

/// Refuses a manifest file of more than [`LARGEST_FILE`] bytes; called before it is read.
pub fn check_size(bytes: u64) -> io::Result<()> {
    if bytes <= LARGEST_FILE {
        return Ok(());
    }
    let (size, most) = (bytes.div_ceil(1 << 20), LARGEST_FILE >> 20);
    let what = format!("it is {size} MiB; the limit for a manifest file is {most} MiB");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
}

/// Joins `path` to `directory` and drops `.` parts. Does not resolve symbolic links, so `..` stays.
pub(super) fn joined(directory: &Path, path: impl AsRef<Path>) -> PathBuf {
    let whole: PathBuf =
        directory.join(path).components().filter(|part| *part != Component::CurDir).collect();
    if whole.as_os_str().is_empty() { PathBuf::from(".") } else { whole }
}
