//! Service descriptions: what is deployed, and the one edit that a deployment makes.
//!
//! A service description is a `servicedescription.js`: an object whose `Roles` hold one element per service, read as
//! leniently as [`crate::lenient_json`] reads. Katkit looks at `Name` and `DockerImage` of each role and at nothing else,
//! and it edits no other bytes than those of an image: everything around it (comments, line endings, unknown keys,
//! their order) is the author's, and the diff that a person reviews is the image lines alone.
//!
//! There are two edits. [`ServiceDescription::retag`] puts a commit's sha where an image says `<hubtag>`, and makes what
//! is deployed first. [`with_images`] takes what is live as the base and gives some roles another image, so that
//! whatever else people changed in it stays.
//!
//! An image may be written with JSON's escapes (some serializers turn it into `\u003chubtag\u003e`): katkit finds it
//! under them, and replaces only the bytes that stand for `<hubtag>`. Anywhere else in the file (a comment, another
//! key) `<hubtag>` stays; [`ServiceDescription::kept_tags`] finds it in values, so that a plan can say so.
//!
//! A role without `<hubtag>` is not deployed: its image may be anything, or missing.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod diff;
mod edit;
mod elsewhere;
mod image;
mod roles;

pub use diff::unified_diff;
pub use edit::{Rebased, Retagged, images, with_images};
pub use elsewhere::KeptTags;
pub use image::{HUBTAG, sha_in};
pub use roles::{Role, ServiceDescription};

pub use crate::lenient_json::{FormatError, Place};

/// Where it lies in the folder of a link.
pub const FILE: &str = "servicedescription/servicedescription.js";

#[cfg(test)]
mod tests;
