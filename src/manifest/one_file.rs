//! A manifest in a single file, for tests.

use std::io;
use std::path::{Path, PathBuf};

use super::{Diagnostics, Loaded, ManifestFiles, load};

struct OneFile<'a>(&'a str);

impl ManifestFiles for OneFile<'_> {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.into())
    }

    fn matching(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

/// Loads the text as `/m/katkit.toml`.
pub fn loaded(text: &str) -> Loaded {
    load_text(text).unwrap()
}

/// Like [`loaded`], but returns the problems.
pub fn load_text(text: &str) -> Result<Loaded, Diagnostics> {
    load(Path::new("/m/katkit.toml"), &OneFile(text))
}
