//! Workflows that repositories define in a `katkitconfig.js`.
//!
//! The file is a list with one element per environment, and each element holds the phases that a commit runs through
//! there. Parsing is lenient about syntax (see [`crate::lenient_json`]) and strict about meaning: an unknown value is
//! an error, never a guess. There are two exceptions, so that repositories written for the original run here
//! unchanged:
//!
//! - A mistake in one environment's workflow affects only that environment: [`KatkitConfig::for_environment`] reports
//!   it when that workflow is requested. [`KatkitConfig::parse`] fails only for mistakes that concern the whole file
//!   (not data, not a list, an environment without a name or given twice).
//! - Unknown keys are ignored and reported in [`KatkitConfig::notes`].
//!
//! Names and spellings are those of the original, including `ContinerImage`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod build_params;
mod config;
mod fields;
mod phase;
mod to_manifest;

pub use config::{ChosenWorkflow, DEFAULT_ENVIRONMENT, Environment, KatkitConfig, Note};
pub use to_manifest::{ManifestDraft, left_out, to_manifest, to_skeleton};

pub use crate::lenient_json::{FilePosition, FormatError};

#[cfg(test)]
mod tests;
