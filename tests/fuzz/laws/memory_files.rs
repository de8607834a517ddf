//! The files of a manifest, in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use katkit::manifest::ManifestFiles;

/// Path of every root manifest.
pub const ROOT: &str = "/manifest/katkit.toml";

/// Content by path.
#[derive(Debug)]
pub struct MemoryFiles(pub BTreeMap<PathBuf, Vec<u8>>);

impl ManifestFiles for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let prefix = pattern.split('*').next().unwrap_or_default();
        let below = |path: &Path| path.strip_prefix(directory).is_ok_and(|rest| rest.starts_with(prefix));
        let named = |path: &Path| path == directory.join(pattern);
        let matches = |path: &Path| if pattern.contains('*') { below(path) } else { named(path) };
        Ok(self.0.keys().filter(|path| matches(path)).cloned().collect())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        if self.0.contains_key(path) { Ok(path.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}
