//! The log: the leaves of all checkpoints, in order.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use jiff::Timestamp;
use sha2::Sha256;

use super::{Checkpoint, Finding, Flaw, JournalEnd, Leaf, SigningKey, VerifierKey};
use crate::domain::{Actor, EntryDigest};

/// The most journals in a checkpoint: it has to fit into an item of DynamoDB, which holds 400 KB.
const MOST: usize = 1000;

/// The leaves that a checkpoint adds, and its note. As text: a leaf per line, an empty line, and the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The lines of the leaves.
    pub leaves: Vec<String>,
    /// The signed note.
    pub note: String,
}

impl Batch {
    /// The batch in a text; `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (leaves, note) = text.split_once("\n\n")?;
        Some(Self { leaves: leaves.lines().map(str::to_owned).collect(), note: note.to_owned() })
    }

    /// The text.
    pub fn text(&self) -> String {
        format!("{}\n\n{}", self.leaves.join("\n"), self.note)
    }
}

/// A log as far as it was checked.
#[derive(Debug)]
pub struct LogCheck<'a> {
    tree: MemoryBackedTree<Sha256, String>,
    keys: &'a [VerifierKey],
    /// Checkpoints that the verifier kept.
    kept: Vec<Checkpoint>,
    checked: CheckedLog,
}

/// What a log says.
#[derive(Debug, Default)]
pub struct CheckedLog {
    /// For each journal what the checkpoints say of it: the number of the checkpoint, length and digest.
    pub journals: BTreeMap<String, Vec<(u64, u64, EntryDigest)>>,
    /// The number of checkpoints.
    pub checkpoints: u64,
    /// The number of leaves.
    pub leaves: u64,
    /// When and by whom the last checkpoint was made.
    pub last: Option<(Timestamp, Actor)>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl<'a> LogCheck<'a> {
    /// An empty log. Without keys, signatures are not verified. `kept` are checkpoints that are known to be genuine.
    pub fn new(keys: &'a [VerifierKey], kept: Vec<Checkpoint>) -> Self {
        Self { tree: MemoryBackedTree::new(), keys, kept, checked: CheckedLog::default() }
    }

    /// Takes the batch with this number. They come in order.
    pub fn batch(&mut self, number: u64, batch: &Batch) {
        let expected = self.checked.checkpoints + 1;
        if number != expected {
            self.finding(number, format!("checkpoint {expected} is missing"));
        }
        self.checked.checkpoints = number;
        for line in &batch.leaves {
            self.leaf(number, line);
        }
        if let Err(why) = self.note(&batch.note) {
            self.finding(number, why);
        }
    }

    fn leaf(&mut self, number: u64, line: &str) {
        self.tree.push(line.to_owned());
        self.checked.leaves += 1;
        match serde_json::from_str(line) {
            Ok(Leaf::Journal(JournalEnd { digest, journal, length })) => {
                self.checked.journals.entry(journal).or_default().push((number, length, digest));
            }
            Ok(Leaf::Checkpoint { at, by, checkpoint: _ }) => self.checked.last = Some((at, by)),
            Err(error) => self.finding(number, format!("one of its leaves cannot be read: {error}")),
        }
        while let Some(at) = self.kept.iter().position(|kept| kept.size == self.checked.leaves) {
            let kept = self.kept.swap_remove(at);
            if kept.root != self.root() {
                self.kept(&kept, "its leaves were changed since".to_owned());
            }
        }
    }

    /// Compares a note with the leaves so far.
    fn note(&self, note: &str) -> Result<(), String> {
        let found = Checkpoint::open(note, self.keys)?;
        if found.size != self.checked.leaves {
            return Err(format!("it is of {} leaves, but the log has {}", found.size, self.checked.leaves));
        }
        if found.root != self.root() {
            return Err("leaves were changed since it was signed".to_owned());
        }
        Ok(())
    }

    fn root(&self) -> [u8; 32] {
        (*self.tree.root().as_bytes()).into()
    }

    /// The result, after the last batch.
    pub fn finish(mut self) -> CheckedLog {
        for kept in std::mem::take(&mut self.kept) {
            let why = format!("the log has {} leaves", self.checked.leaves);
            self.kept(&kept, why);
        }
        self.checked
    }

    /// The next batch, with a leaf for each journal that changed since the last checkpoint, at most [`MOST`]; `None` if
    /// none did.
    pub fn next(
        mut self,
        ends: impl IntoIterator<Item = JournalEnd>,
        (at, by): (Timestamp, Actor),
        key: &SigningKey,
    ) -> Option<(u64, Batch)> {
        let changed = |end: &JournalEnd| {
            let last = self.checked.journals.get(&end.journal).and_then(|ends| ends.last());
            last.is_none_or(|&(_, length, digest)| (length, digest) != (end.length, end.digest))
        };
        let mut leaves: Vec<_> = ends.into_iter().filter(changed).map(Leaf::Journal).take(MOST).collect();
        if leaves.is_empty() {
            return None;
        }
        let checkpoint = self.checked.checkpoints + 1;
        leaves.push(Leaf::Checkpoint { at, by, checkpoint });
        let leaves: Vec<_> = leaves.iter().map(Leaf::line).collect();
        for line in &leaves {
            self.leaf(checkpoint, line);
        }
        let origin = key.verifier().name().to_owned();
        let note = Checkpoint { origin, size: self.checked.leaves, root: self.root() }.sign(key);
        Some((checkpoint, Batch { leaves, note }))
    }

    fn finding(&mut self, checkpoint: u64, why: String) {
        self.checked.findings.push(Finding { journal: None, flaw: Flaw::Checkpoint { checkpoint, why } });
    }

    fn kept(&mut self, kept: &Checkpoint, why: String) {
        self.checked.findings.push(Finding { journal: None, flaw: Flaw::Kept { size: kept.size, why } });
    }
}
