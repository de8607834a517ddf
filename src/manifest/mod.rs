//! Reads the manifest: what should run where.
//!
//! A manifest is a root file and what it includes. Reading it goes in three steps that know nothing of each other:
//! `gather` finds and parses the files that `admission` lets in, `tables` says which keys there are and of which type,
//! `build` puts the definitions of all files together and resolves every name. None of them stops at a mistake. Each
//! mistake becomes a [`Diagnostic`] with its place, and only when all are known does [`load`] answer: with a [`Manifest`]
//! that leaves nothing to doubt, or with everything that is wrong.
//!
//! The parsed text is read in place: values borrow from it, places are byte offsets, and lines are counted only when
//! there is something to complain about. Nothing here opens a file, which is what [`ManifestFiles`] is for, and
//! nothing that a manifest says is executed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod admission;
mod after;
mod bounds;
mod build;
mod commit;
mod concern;
mod diagnostic;
mod ecs;
pub mod edit;
mod expand;
mod gather;
mod image;
pub mod init;
mod links;
mod model;
mod moved;
mod newer_syntax;
#[cfg(test)]
pub mod one_file;
mod reader;
mod resources;
mod schema;
mod settings;
mod shared;
mod source;
mod suggest;
mod tables;
mod templates;
mod tenants;
mod url;
mod values;
mod variables;
mod words;
mod workflows;

use std::path::{Path, PathBuf};

use crate::domain::LinkId;

pub use bounds::{Bounded, Reach, bounded};
pub use concern::{Concern, concerned};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use expand::expanded;
pub use gather::{LARGEST_FILE, ManifestFiles, check_size};
pub use model::{
    BlobsConfig, CacheConfig, EcsCapacity, EcsCluster, EcsConfig, FleetConfig, FleetKind, Link, Manifest,
    PlatformConfig, Repo, SecretRef, StateConfig, Tenant, Want,
};
pub use moved::{Moved, Moves, Name};
pub use schema::schema;
pub use source::{Position, Source, Span};

use diagnostic::Report;
use source::Texts;

/// A manifest without mistakes.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub manifest: Manifest,
    /// What it probably does not mean; no errors among them.
    pub warnings: Diagnostics,
    /// Its files, the root first.
    pub files: Vec<PathBuf>,
    /// For each link, in the order of [`Manifest::links`], the index of its file.
    link_files: Vec<u32>,
}

impl Loaded {
    /// The file that defines a link.
    pub fn file_of(&self, link: &LinkId) -> Option<&Path> {
        let at = self.manifest.links().position(|(id, _, _)| id == *link)?;
        Some(self.files.get(*self.link_files.get(at)? as usize)?)
    }
}

/// Reads the manifest whose root file is `root`, with everything that it includes.
///
/// Every mistake in it is reported at once. Where a file could not be parsed, mistakes that may only be its consequence
/// (a name that nothing defines, a key that is missing) are left out.
pub fn load(root: &Path, files: &dyn ManifestFiles) -> Result<Loaded, Diagnostics> {
    let (texts, report) = (Texts::default(), Report::default());
    let gathered = gather::gather(root, files, &texts, &report);
    let built = build::build(&gathered, &report);
    let paths = gathered.paths;
    drop(gathered.trees);
    let failed = report.failed();
    let found = report.finish(gather::sources(paths.clone(), texts));
    match built {
        Some((manifest, link_files)) if !failed => {
            let warnings = if found.is_empty() { Diagnostics::default() } else { found };
            Ok(Loaded { manifest, warnings, files: paths, link_files })
        }
        _ => Err(found),
    }
}
