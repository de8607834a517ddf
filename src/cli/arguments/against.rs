//! `--against REV`: the links that changed in the manifest since a git revision.

use std::collections::BTreeSet;
use std::path::Path;

use crate::app;
use crate::cli::error::CommandError;
use crate::domain::LinkId;
use crate::estate::Estate;
use crate::manifest;

/// The links that differ between the manifest now and at `revision`, including those that only one of them has.
pub(in crate::cli) fn changed(estate: &Estate, revision: &str) -> Result<BTreeSet<LinkId>, CommandError> {
    let root = estate.loaded.files.first().map_or(Path::new("katkit.toml"), |path| path.as_path());
    let now = estate.manifest();
    Ok(match app::load_at(root, revision)? {
        Some(before) => manifest::concerned(&before.manifest, now),
        // It did not exist then: everything is new.
        None => now.links().map(|(id, _, _)| id).collect(),
    })
}
