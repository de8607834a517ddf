//! The files of a manifest at a git revision.

use std::io;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use crate::git::{GitError, Revision};
use crate::manifest::{ManifestFiles, check_size};

/// Reads a manifest from a commit of the repository that contains it.
#[derive(Debug)]
pub struct RevisionFiles(Revision);

impl RevisionFiles {
    /// Opens `revision` of the repository that contains `path`.
    pub fn open(path: &Path, revision: &str) -> Result<Self, GitError> {
        Revision::open(path.parent().unwrap_or(path), revision).map(Self)
    }
}

impl ManifestFiles for RevisionFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path, check_size)
    }

    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let whole = directory.join(pattern);
        let glob = GlobBuilder::new(&whole.to_string_lossy()).literal_separator(true).build();
        let glob =
            glob.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.kind().to_string()))?;
        let matcher = glob.compile_matcher();
        // As on disk, `*` does not match hidden files.
        let is_hidden = |path: &Path| {
            let inside = path.strip_prefix(directory).unwrap_or(path);
            inside.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
        };
        let files = self.0.files(directory)?.into_iter();
        Ok(files.filter(|path| matcher.is_match(path) && !is_hidden(path)).collect())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        // Without `.` and `..`, every file of a commit has a single name.
        Ok(std::path::absolute(path)?.components().collect())
    }

    fn is_tracked(&self, _: &Path) -> io::Result<bool> {
        // Every file in a commit is tracked.
        Ok(true)
    }
}
