//! What processes that died, and phases, left on this machine, outside of the record and of everything that it accounts for.

use std::path::Path;
use std::time::Duration;

use crate::apply::{abandoned_scratch, remove_abandoned_scratch};
use crate::blobs::DirectoryBlobs;
use crate::doctor::Leftover;
use crate::fleet::process::{remove_set_aside, set_aside};
use crate::manifest::Manifest;

use super::places::Places;

/// How old a temporary file is that nobody can still be writing.
const ABANDONED: Duration = Duration::from_hours(1);

/// What there is. What cannot be looked at is taken for nothing: whoever needs that directory says what is wrong with it.
pub(super) fn found(manifest: &Manifest, places: &Places) -> Vec<Leftover> {
    let of_the_dead = |what, files: usize| Leftover {
        what,
        problem: match files {
            1 => "processes that died left 1 file there".to_owned(),
            many => format!("processes that died left {many} files there"),
        },
        fix: "`katkit apply` removes what they left".to_owned(),
    };
    let mut found = Vec::new();
    let packs = abandoned_scratch(&places.scratch()).len();
    if packs > 0 {
        found.push(of_the_dead(place("cache", &places.cache), packs));
    }
    if let Some(path) = &places.blobs {
        let files = DirectoryBlobs::new(path.clone()).abandoned_temporary(ABANDONED).unwrap_or(0);
        if files > 0 {
            found.push(of_the_dead(place("blob store", path), files));
        }
    }
    found.extend(places.process_fleets(manifest).flat_map(|directory| set_aside(&directory)).map(|path| {
        Leftover {
            what: place("directory", &path),
            problem: "a phase left in it what this user may not remove".to_owned(),
            fix: format!("as root, `rm -rf {}`", path.display()),
        }
    }));
    found
}

/// Removes it.
pub(super) fn remove(manifest: &Manifest, places: &Places) {
    remove_abandoned_scratch(&places.scratch());
    places.process_fleets(manifest).for_each(|directory| remove_set_aside(&directory));
    if let Some(path) = &places.blobs
        && let Err(error) = DirectoryBlobs::new(path.clone()).sweep_temporary(ABANDONED)
    {
        tracing::warn!(error = %error, "what dead processes left in the blob store was not removed");
    }
}

fn place(what: &str, path: &Path) -> String {
    format!("{what} `{}`", path.display())
}
