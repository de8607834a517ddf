//! The leaves of the log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{Actor, EntryDigest};

/// How long a journal was at a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEnd {
    /// The digest of its last entry.
    pub digest: EntryDigest,
    /// The link's name, or `consents`.
    pub journal: String,
    /// The number of its last entry.
    pub length: u64,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Leaf {
    /// A journal that changed since the last checkpoint.
    Journal(JournalEnd),
    /// The checkpoint itself: the last of its leaves.
    Checkpoint {
        /// When it was made, by the clock of the machine.
        at: Timestamp,
        /// Who made it.
        by: Actor,
        /// Its number, from 1.
        checkpoint: u64,
    },
}

impl Leaf {
    /// Its line of JSON, without the line break: what the tree is made of.
    pub fn line(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value.sort_all_objects();
        value.to_string()
    }
}
