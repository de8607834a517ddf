//! What is wrong with a record.

use std::fmt;

/// A flaw, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The journal: a link's name or `consents`; `None`: the log of checkpoints.
    pub journal: Option<String>,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a journal or with the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// The entry is not the one whose digest the next entry carries.
    Changed {
        /// Its number.
        entry: u64,
        /// The number of the next entry.
        by: u64,
    },
    /// Entries are gone.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// An entry follows one with a higher number, or with the same.
    OutOfOrder {
        /// Its number.
        entry: u64,
        /// The number before it.
        after: u64,
    },
    /// The entry carries no digest of the one before it.
    Unchained {
        /// Its number.
        entry: u64,
    },
    /// The journal was rewritten after a checkpoint.
    Rewritten {
        /// The number of the checkpoint.
        checkpoint: u64,
        /// The first entry that may have been.
        from: u64,
        /// The last entry that the checkpoint covers.
        to: u64,
    },
    /// The journal lacks its end, which a checkpoint covers.
    Cut {
        /// The number of the checkpoint.
        checkpoint: u64,
        /// The first entry that is missing.
        from: u64,
        /// The last entry that the checkpoint covers.
        to: u64,
    },
    /// No prune explains where the journal begins.
    Beginning {
        /// The number of the first entry.
        entry: u64,
    },
    /// It continues another journal, which does not record the move.
    Moved {
        /// The number of the entry that begins it.
        entry: u64,
        /// The other journal.
        from: String,
    },
    /// Its head does not belong to its last entry.
    Head,
    /// There are entries that its head does not know.
    Beyond {
        /// The number of the last.
        entry: u64,
    },
    /// It cannot be read.
    Unreadable {
        /// Why: a clause.
        why: String,
    },
    /// The checkpoint does not cover the leaves before it.
    Checkpoint {
        /// Its number.
        checkpoint: u64,
        /// Why it does not count: a clause.
        why: String,
    },
    /// There is no checkpoint, although the verifier has a key.
    NoCheckpoint,
    /// A checkpoint that the verifier kept does not belong to this log.
    Kept {
        /// The number of its leaves.
        size: u64,
        /// Why: a clause.
        why: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { journal, flaw } = self;
        write!(f, "{}: {flaw}", journal.as_deref().unwrap_or("log of checkpoints"))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { entry, by } => {
                write!(f, "entry {entry} was changed: entry {by} carries another digest for it")
            }
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::OutOfOrder { entry, after } => {
                write!(f, "entry {entry} comes after entry {after}: it was moved or inserted")
            }
            Self::Unchained { entry } => write!(f, "entry {entry} carries no digest of the entry before it"),
            Self::Rewritten { checkpoint, from, to } if from == to => {
                write!(f, "entry {to} was rewritten after checkpoint {checkpoint}")
            }
            Self::Rewritten { checkpoint, from, to } => {
                write!(
                    f,
                    "entries {from} to {to}, or some of them, were rewritten after checkpoint {checkpoint}"
                )
            }
            Self::Cut { checkpoint, from, to } if from == to => {
                write!(f, "entry {to} is missing, which checkpoint {checkpoint} covers")
            }
            Self::Cut { checkpoint, from, to } => {
                write!(f, "entries {from} to {to} are missing, which checkpoint {checkpoint} covers")
            }
            Self::Beginning { entry } => {
                write!(f, "it begins with entry {entry}, but no recorded prune cut what was before that")
            }
            Self::Moved { entry, from } => {
                write!(f, "entry {entry} continues the journal of `{from}`, which does not say so")
            }
            Self::Beyond { entry } => write!(
                f,
                "its head ends before entry {entry}: the head was changed or removed, or the entry inserted"
            ),
            Self::Head => f.write_str("its head does not belong to its last entry"),
            Self::Unreadable { why } => f.write_str(why),
            Self::Checkpoint { checkpoint, why } => {
                write!(f, "checkpoint {checkpoint} does not count: {why}")
            }
            Self::NoCheckpoint => {
                f.write_str("there is no checkpoint: none was made yet, or all were removed")
            }
            Self::Kept { size, why } => {
                write!(f, "the checkpoint of {size} leaves that you kept does not belong to this log: {why}")
            }
        }
    }
}
