//! Reads the manifest: what should run where.
//!
//! A manifest is a root file and its includes. It is read in three independent steps: `gather` finds and parses the
//! files that `admission` allows, `tables` declares the keys and their types, `build` combines the definitions of all
//! files and resolves every name. No step stops at a mistake. Each mistake becomes a [`Diagnostic`] with its position,
//! and [`load`] returns either a fully checked [`Manifest`] or every problem at once.
//!
//! The parsed text is read in place: values borrow from it, positions are byte offsets, and lines are counted only when
//! there is something to report. Nothing here opens a file ([`ManifestFiles`] does) or executes anything from a
//! manifest.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod access;
mod admission;
mod after;
mod approvals;
mod audit;
mod bounds;
mod build;
mod checks;
mod civil;
mod commit;
mod credentials;
mod definitions;
mod diagnostic;
mod ecs;
pub mod edit;
mod expand;
mod files;
mod gather;
mod image;
pub mod init;
mod inputs;
mod known;
mod link_settings;
mod links;
mod model;
mod moved;
mod moves;
mod newer_syntax;
#[cfg(test)]
pub mod one_file;
mod pipelines;
mod policies;
mod pull_requests;
mod reader;
mod resources;
mod review;
mod rights;
mod root_tables;
mod schema;
mod secret_ref;
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

pub use bounds::{Bounded, NewResource, bounded};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use expand::expanded;
pub use files::{LARGEST_FILE, ManifestFiles, check_size};
pub use link_settings::{LinkSettings, concerned};
pub use model::{
    AuditConfig, BlobsConfig, CacheConfig, EcsCapacity, EcsCluster, EcsConfig, FleetConfig, FleetKind, Link,
    Manifest, Pin, PlatformConfig, Repo, StateConfig, Tenant, Wanted,
};
pub use moves::{Moved, Moves, Name};
pub use schema::schema;
pub use secret_ref::SecretRef;
pub use source::{Position, Source, Span};

use diagnostic::Report;
use source::TextArena;

/// A manifest without mistakes.
#[derive(Debug)]
pub struct Loaded {
    /// The checked content.
    pub manifest: Manifest,
    /// Probable mistakes; warnings only.
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

/// Reads the manifest whose root file is `root`, with everything it includes.
///
/// Reports every mistake at once. If a file cannot be parsed, mistakes that may only follow from it (an unknown name, a
/// missing key) are left out.
pub fn load(root: &Path, files: &dyn ManifestFiles) -> Result<Loaded, Diagnostics> {
    let (texts, report) = (TextArena::default(), Report::default());
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
