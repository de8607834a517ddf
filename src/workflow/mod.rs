//! Workflows as repositories keep them: `katkitconfig.js`.
//!
//! The file is a list with one element per environment, and each element holds the phases that a commit goes through
//! there. Reading is lenient about how it is written (see [`crate::lenient_json`]) and strict about what it means: a
//! value that is not understood is an error, never a guess. Two things soften that, so that a repository that ran
//! under the original runs here unchanged:
//!
//! - A mistake inside of one environment's workflow is that environment's own: it is reported when its workflow is asked
//!   for ([`KatkitConfig::for_environment`]) and does not stand in the way of the others. Only what concerns the file as a
//!   whole (not data, no list, an environment without a name or twice) is an error of [`KatkitConfig::parse`].
//! - A key that katkit does not know is left alone and reported in [`KatkitConfig::notes`].
//!
//! Names and spellings are those of the original, `ContinerImage` included.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod build_params;
mod config;
mod fields;
mod phase;
mod to_manifest;

pub use config::{Chosen, DEFAULT_ENVIRONMENT, Environment, KatkitConfig, Note};
pub use to_manifest::{Skeleton, left_out, to_manifest, to_skeleton};

pub use crate::lenient_json::{FormatError, Place};

#[cfg(test)]
mod tests;
