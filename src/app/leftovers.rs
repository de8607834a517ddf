//! Files that dead processes and phases left on this machine, unknown to the record.

use std::path::Path;
use std::time::Duration;

use crate::apply::{abandoned_scratch, remove_abandoned_scratch};
use crate::blobs::DirectoryBlobs;
use crate::doctor::Leftover;
use crate::fleet::process::{remove_set_aside, set_aside};
use crate::manifest::Manifest;

use super::local_paths::LocalPaths;

/// The age at which a temporary file is certainly no longer being written.
const ABANDONED: Duration = Duration::from_hours(1);

/// Finds the leftovers. Ignores unreadable directories: the code that uses them reports the error.
pub(super) fn found(manifest: &Manifest, paths: &LocalPaths) -> Vec<Leftover> {
    let of_the_dead = |what, files: usize| Leftover {
        what,
        problem: match files {
            1 => "dead processes left 1 file there".to_owned(),
            many => format!("dead processes left {many} files there"),
        },
        fix: "`katkit apply` removes what they left".to_owned(),
    };
    let mut found = Vec::new();
    let packs = abandoned_scratch(&paths.scratch()).len();
    if packs > 0 {
        found.push(of_the_dead(location("cache", &paths.cache), packs));
    }
    if let Some(path) = &paths.blobs {
        let files = DirectoryBlobs::new(path.clone()).abandoned_temporary(ABANDONED).unwrap_or(0);
        if files > 0 {
            found.push(of_the_dead(location("blob store", path), files));
        }
    }
    found.extend(paths.process_fleets(manifest).flat_map(|directory| set_aside(&directory)).map(|path| {
        Leftover {
            what: location("directory", &path),
            problem: "a phase left files that this user cannot remove".to_owned(),
            fix: format!("as root, `rm -rf {}`", path.display()),
        }
    }));
    found
}

/// Removes the leftovers that this user can remove.
pub(super) fn remove(manifest: &Manifest, paths: &LocalPaths) {
    remove_abandoned_scratch(&paths.scratch());
    paths.process_fleets(manifest).for_each(|directory| remove_set_aside(&directory));
    if let Some(path) = &paths.blobs
        && let Err(error) = DirectoryBlobs::new(path.clone()).sweep_temporary(ABANDONED)
    {
        tracing::warn!(error = %error, "temporary files of dead processes could not be removed from the blob store");
    }
}

fn location(what: &str, path: &Path) -> String {
    format!("{what} `{}`", path.display())
}
