//! What processes that died, and phases, left on this machine, outside of the record and of everything that it accounts for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::{abandoned_scratch, remove_abandoned_scratch};
use crate::blobs::DirectoryBlobs;
use crate::doctor::Leftover;
use crate::fleet::process::{remove_set_aside, set_aside};
use crate::manifest::{BlobsConfig, FleetKind, Manifest};

/// How old a temporary file is that nobody can still be writing.
const ABANDONED: Duration = Duration::from_hours(1);

/// Where commits are packed before they are stored.
pub(super) fn scratch(manifest: &Manifest) -> PathBuf {
    manifest.cache.join("packs")
}

/// What there is. What cannot be looked at is taken for nothing: whoever needs that directory says what is wrong with it.
pub(super) fn found(manifest: &Manifest) -> Vec<Leftover> {
    let of_the_dead = |what, files: usize| Leftover {
        what,
        problem: match files {
            1 => "processes that died left 1 file there".to_owned(),
            many => format!("processes that died left {many} files there"),
        },
        fix: "`katkit apply` removes what they left".to_owned(),
    };
    let mut found = Vec::new();
    let packs = abandoned_scratch(&scratch(manifest)).len();
    if packs > 0 {
        found.push(of_the_dead(place("cache", &manifest.cache), packs));
    }
    if let BlobsConfig::Directory(path) = &manifest.blobs {
        let files = DirectoryBlobs::new(path.clone()).abandoned_temporary(ABANDONED).unwrap_or(0);
        if files > 0 {
            found.push(of_the_dead(place("blob store", path), files));
        }
    }
    found.extend(process_fleets(manifest).flat_map(|directory| set_aside(&directory)).map(|path| Leftover {
        what: place("directory", &path),
        problem: "a phase left in it what this user may not remove".to_owned(),
        fix: format!("as root, `rm -rf {}`", path.display()),
    }));
    found
}

fn process_fleets(manifest: &Manifest) -> impl Iterator<Item = PathBuf> {
    let fleets = manifest.fleets.iter().filter(|(_, fleet)| fleet.kind == FleetKind::Process);
    fleets.map(|(name, _)| super::services(manifest).join(name.as_str()))
}

/// Removes it.
pub(super) fn remove(manifest: &Manifest) {
    remove_abandoned_scratch(&scratch(manifest));
    process_fleets(manifest).for_each(|directory| remove_set_aside(&directory));
    if let BlobsConfig::Directory(path) = &manifest.blobs
        && let Err(error) = DirectoryBlobs::new(path.clone()).sweep_temporary(ABANDONED)
    {
        tracing::warn!(error = %error, "what dead processes left in the blob store was not removed");
    }
}

fn place(what: &str, path: &Path) -> String {
    format!("{what} `{}`", path.display())
}
