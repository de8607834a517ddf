//! The log: the leaves of all checkpoints, in order.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use jiff::Timestamp;
use sha2::Sha256;

use super::{Checkpoint, Finding, Flaw, JournalEnd, Leaf, SigningKey, VerifierKey};
use crate::domain::{Actor, EntryDigest};

/// The most journals in a checkpoint: it has to fit into an item of DynamoDB, which holds 400 KB.
pub const MOST: usize = 1000;

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
    /// Those of them whose leaves were changed.
    changed: Vec<Checkpoint>,
    /// Its name, as the last note says.
    origin: Option<String>,
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
        Self {
            tree: MemoryBackedTree::new(),
            keys,
            kept,
            changed: Vec::new(),
            origin: None,
            checked: CheckedLog::default(),
        }
    }

    /// Takes the text of the batch with this number.
    pub fn text(&mut self, number: u64, text: &str) {
        match Batch::parse(text) {
            Some(batch) => self.batch(number, &batch),
            None => {
                self.checked.checkpoints = number;
                self.finding(number, "it does not consist of leaves and a note".to_owned());
            }
        }
    }

    /// Takes the batch with this number. They come in order.
    pub fn batch(&mut self, number: u64, batch: &Batch) {
        let expected = self.checked.checkpoints.saturating_add(1);
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
            Err(_) => {
                let why = "one of its leaves is neither the end of a journal nor a checkpoint";
                self.finding(number, why.to_owned());
            }
        }
        while let Some(at) = self.kept.iter().position(|kept| kept.size == self.checked.leaves) {
            let kept = self.kept.swap_remove(at);
            if kept.root != self.root() {
                self.changed.push(kept);
            }
        }
    }

    /// Compares a note with the leaves so far.
    fn note(&mut self, note: &str) -> Result<(), String> {
        if note.is_empty() {
            return Err("its note is missing".to_owned());
        }
        let found = Checkpoint::open(note, self.keys)?;
        self.origin = Some(found.origin);
        if found.size != self.checked.leaves {
            return Err(format!(
                "it is of {}, but the log has {}",
                leaves(found.size),
                leaves(self.checked.leaves)
            ));
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
        self.settle();
        self.checked
    }

    fn settle(&mut self) {
        for kept in std::mem::take(&mut self.changed) {
            self.kept(&kept, "its leaves were changed since".to_owned());
        }
        for kept in std::mem::take(&mut self.kept) {
            let why = format!("the log has {}", leaves(self.checked.leaves));
            self.kept(&kept, why);
        }
    }

    /// The last leaf of a journal: its length and digest.
    pub fn last(&self, journal: &str) -> Option<(u64, EntryDigest)> {
        let last = self.checked.journals.get(journal)?.last()?;
        Some((last.1, last.2))
    }

    /// The next batch, with leaves for at most [`MOST`] of the journals that changed; `None` without any.
    ///
    /// Fails with what is wrong with the log so far: a checkpoint would sign that, too.
    pub fn next(
        mut self,
        changed: impl IntoIterator<Item = JournalEnd>,
        (at, by): (Timestamp, Actor),
        key: &SigningKey,
    ) -> Result<Option<(u64, Batch)>, Vec<Finding>> {
        self.settle();
        if !self.checked.findings.is_empty() {
            return Err(self.checked.findings);
        }
        let mut leaves: Vec<_> = changed.into_iter().map(Leaf::Journal).take(MOST).collect();
        if leaves.is_empty() {
            return Ok(None);
        }
        let checkpoint = self.checked.checkpoints.saturating_add(1);
        leaves.push(Leaf::Checkpoint { at, by, checkpoint });
        let leaves: Vec<_> = leaves.iter().map(Leaf::line).collect();
        for line in &leaves {
            self.leaf(checkpoint, line);
        }
        let origin = key.verifier().name().to_owned();
        let note = Checkpoint { origin, size: self.checked.leaves, root: self.root() }.sign(key);
        Ok(Some((checkpoint, Batch { leaves, note })))
    }

    fn finding(&mut self, checkpoint: u64, why: String) {
        self.checked.findings.push(Finding { journal: None, flaw: Flaw::Checkpoint { checkpoint, why } });
    }

    fn kept(&mut self, kept: &Checkpoint, why: String) {
        let why = match &self.origin {
            Some(origin) if *origin != kept.origin => {
                format!("it is of `{}`, and this log is `{origin}`", kept.origin)
            }
            _ => why,
        };
        self.checked.findings.push(Finding { journal: None, flaw: Flaw::Kept { size: kept.size, why } });
    }
}

/// `1 leaf`, `2 leaves`
fn leaves(number: u64) -> String {
    if number == 1 { "1 leaf".to_owned() } else { format!("{number} leaves") }
}
