//! The audit: proves that nobody changed what is on record.
//!
//! Every journal is a chain (`crate::domain::Entry`), which shows a change unless everything after it was rewritten as
//! well. So from time to time a *checkpoint* records how long each journal is and the digest of its last entry. These
//! are the leaves of one Merkle tree for the whole record, which only grows, as RFC 6962 defines it. The root is signed
//! as a C2SP signed note. A checkpoint that was kept elsewhere shows later whether anything that it covers was changed,
//! with katkit or with any other tool that knows these formats.
//!
//! All of this is pure: lines in, findings out. `crate::auditing` reads and writes them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod checkpoint;
mod entry;
mod finding;
mod journal;
mod key;
mod leaf;
mod log;
mod note;
mod report;

#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoint;
pub use entry::{AuditEntry, KINDS};
pub use finding::{Finding, Flaw};
pub use journal::{CheckedJournal, JournalCheck, Moves};
pub use key::{KeyError, SigningKey, VerifierKey, check_name};
pub use leaf::{JournalEnd, Leaf};
pub use log::{Batch, CheckedLog, LogCheck, MOST};
pub use note::{NoteError, Signed};
pub use report::Report;

/// The name of the journal of consents in leaves and exports; no link has such a name.
pub const CONSENTS: &str = "consents";
