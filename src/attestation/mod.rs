//! Attestations: what is on record about images, as signed statements that other tools understand.
//!
//! A statement (in-toto) names artifacts by their digests and says one thing about them. [`provenance()`] says how phases
//! built them, [`verification()`] that they passed a link. Both repeat what the journal says and add nothing to it. A
//! signed statement is a DSSE envelope, whose signature is that of the key of `[audit]`.
//!
//! All of this is pure; `crate::attesting` reads the journal. `docs/attestations.md` says what each field means.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod envelope;
mod provenance;
mod statement;
mod uri;
mod verification;

#[cfg(test)]
mod tests;

pub use envelope::seal;
pub use provenance::provenance;
pub use statement::Statement;
pub use verification::verification;
