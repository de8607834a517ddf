//! The result of a verification.

use jiff::Timestamp;

use super::{CheckedJournal, CheckedLog, Finding, Flaw, Moves};
use crate::domain::Actor;

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of journals.
    pub journals: u64,
    /// The number of their entries.
    pub entries: u64,
    /// How many of these are covered by a checkpoint.
    pub covered: u64,
    /// How many entries an older katkit wrote, without a digest.
    pub older: u64,
    /// How many entries a checkpoint covers and a recorded prune removed.
    pub pruned: u64,
    /// The number of checkpoints.
    pub checkpoints: u64,
    /// When and by whom the last one was made.
    pub last: Option<(Timestamp, Actor)>,
    /// Whether signatures were verified.
    pub signatures: bool,
    /// The number of checkpoints that the verifier kept.
    pub kept: usize,
    /// What is wrong, by journal.
    pub findings: Vec<Finding>,
    moves: Moves,
}

impl Report {
    /// A report without journals. `keys` is the number of keys that verified signatures.
    pub fn new(keys: usize, kept: usize) -> Self {
        Self { signatures: keys > 0, kept, ..Self::default() }
    }

    /// Adds a journal.
    pub fn journal(&mut self, checked: CheckedJournal) {
        self.journals += u64::from(checked.entries > 0);
        self.entries += checked.entries;
        self.covered += checked.covered;
        self.pruned += checked.pruned;
        self.moves.extend(checked.moves);
        self.findings.extend(checked.findings);
    }

    /// The report, after the last journal.
    #[must_use]
    pub fn finish(mut self, log: CheckedLog) -> Self {
        self.findings.extend(log.findings);
        self.findings.extend(self.moves.findings());
        if self.signatures && log.checkpoints == 0 && self.entries > 0 {
            self.findings.push(Finding { journal: None, flaw: Flaw::NoCheckpoint });
        }
        self.findings.sort();
        Self { checkpoints: log.checkpoints, last: log.last, ..self }
    }
}
