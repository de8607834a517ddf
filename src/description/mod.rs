//! Service descriptions: the services to deploy, and the edits that a deployment makes.
//!
//! A service description is a `servicedescription.js`: an object whose `Roles` list has one element per service,
//! parsed leniently by [`crate::lenient_json`]. Katkit reads only `Name` and `DockerImage` of each role, and edits
//! only the bytes of an image. Everything around it (comments, line endings, unknown keys, their order) is the
//! author's, so the diff under review consists of the image lines alone.
//!
//! There are two edits. [`ServiceDescription::retag`] replaces `<hubtag>` in images with a commit's sha, for a first
//! deployment. [`with_images`] starts from the live description and changes the images of some roles, so that all other
//! changes to it stay.
//!
//! An image may be written with JSON escapes (some serializers write `\u003chubtag\u003e`). Katkit recognizes those,
//! and replaces only the bytes that stand for `<hubtag>`. Anywhere else in the file (a comment, another key)
//! `<hubtag>` stays; [`ServiceDescription::kept_tags`] finds it in values, so that a plan can report it.
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

pub use crate::lenient_json::{FilePosition, FormatError};

/// The path of the description in a link's folder.
pub const FILE: &str = "servicedescription/servicedescription.js";

#[cfg(test)]
mod tests;
