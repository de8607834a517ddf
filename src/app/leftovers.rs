//! What processes that died left on this machine, outside of the record and of everything that it accounts for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::{abandoned_scratch, remove_abandoned_scratch};
use crate::blobs::DirectoryBlobs;
use crate::doctor::Leftover;
use crate::manifest::{BlobsConfig, Manifest};

/// How old a temporary file is that nobody can still be writing.
const ABANDONED: Duration = Duration::from_hours(1);

/// Where commits are packed before they are stored.
pub(super) fn scratch(manifest: &Manifest) -> PathBuf {
    manifest.cache.join("packs")
}

/// What there is. What cannot be looked at is taken for nothing: whoever needs that directory says what is wrong with it.
pub(super) fn found(manifest: &Manifest) -> Vec<Leftover> {
    let packs = abandoned_scratch(&scratch(manifest)).len();
    let mut found = vec![Leftover { what: place("cache", &manifest.cache), files: packs }];
    if let BlobsConfig::Directory(path) = &manifest.blobs {
        let files = DirectoryBlobs::new(path.clone()).abandoned_temporary(ABANDONED).unwrap_or(0);
        found.push(Leftover { what: place("blob store", path), files });
    }
    found.retain(|leftover| leftover.files > 0);
    found
}

/// Removes it.
pub(super) fn remove(manifest: &Manifest) {
    remove_abandoned_scratch(&scratch(manifest));
    if let BlobsConfig::Directory(path) = &manifest.blobs
        && let Err(error) = DirectoryBlobs::new(path.clone()).sweep_temporary(ABANDONED)
    {
        tracing::warn!(error = %error, "what dead processes left in the blob store was not removed");
    }
}

fn place(what: &str, path: &Path) -> String {
    format!("{what} `{}`", path.display())
}
