//! Checks one journal, line by line.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Finding, Flaw};
use crate::domain::EntryDigest;

/// The most findings per journal.
const MOST: usize = 20;

/// What of an entry matters here. A newer katkit may write entries that this build does not know.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(alias = "id")]
    generation: u64,
    previous: Option<EntryDigest>,
    #[serde(borrow)]
    event: Option<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "event")]
    word: Cow<'a, str>,
    #[serde(borrow)]
    from: Option<Name<'a>>,
    #[serde(borrow)]
    to: Option<Name<'a>>,
    #[serde(borrow)]
    record: Option<Cow<'a, str>>,
    history: Option<History>,
}

/// A name, or anything else that other events have under the same key.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Other(serde::de::IgnoredAny),
}

impl Name<'_> {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::Other(_) => String::new(),
        }
    }
}

#[derive(Deserialize)]
struct History {
    base: Base,
}

/// Where a journal was cut: what its first entry follows.
#[derive(Clone, Copy, Deserialize)]
struct Base {
    generation: u64,
    chain: Option<EntryDigest>,
}

/// What a checkpoint says of a journal.
#[derive(Clone, Copy, Debug)]
struct Promise {
    checkpoint: u64,
    length: u64,
    digest: EntryDigest,
}

/// Journals that continue under another name. Both record what was moved.
#[derive(Debug, Default)]
pub struct Moves {
    /// Old name, new name, what was moved; the entry of the new journal.
    arrived: BTreeSet<(String, String, String, u64)>,
    /// Old name, new name, what was moved.
    left: BTreeSet<(String, String, String)>,
    /// Journals that were cut: what was moved away may no longer be on record.
    cut: BTreeSet<String>,
}

impl Moves {
    /// Adds those of another journal.
    pub fn extend(&mut self, other: Self) {
        let Self { arrived, left, cut } = other;
        self.arrived.extend(arrived);
        self.left.extend(left);
        self.cut.extend(cut);
    }

    /// Journals that continue another, which does not record the move.
    pub fn findings(&self) -> Vec<Finding> {
        let unmatched = |(from, to, record, _): &&(String, String, String, u64)| {
            !self.left.contains(&(from.clone(), to.clone(), record.clone())) && !self.cut.contains(from)
        };
        let finding = |(from, to, _, entry): &(String, String, String, u64)| Finding {
            journal: Some(to.clone()),
            flaw: Flaw::Moved { entry: *entry, from: from.clone() },
        };
        self.arrived.iter().filter(unmatched).map(finding).collect()
    }
}

/// The first entry of a journal.
#[derive(Clone, Copy, Debug)]
struct First {
    number: u64,
    previous: Option<EntryDigest>,
    /// Whether it continues another journal.
    arrives: bool,
}

impl First {
    /// Whether nothing comes before it.
    fn begins(&self) -> bool {
        self.previous.is_none() && (self.number == 1 || self.arrives)
    }
}

/// A journal that was checked.
#[derive(Debug)]
pub struct CheckedJournal {
    /// The number and the digest of its last entry.
    pub last: Option<(u64, EntryDigest)>,
    /// The number of entries.
    pub entries: u64,
    /// How many of them a checkpoint covers.
    pub covered: u64,
    /// The number of entries that a checkpoint covers and a recorded prune cut.
    pub pruned: u64,
    /// Where it continues, and what it continues.
    pub moves: Moves,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Checks a journal whose lines come in order.
#[derive(Debug)]
pub struct JournalCheck {
    name: String,
    promises: std::iter::Peekable<std::vec::IntoIter<Promise>>,
    last: Option<(u64, EntryDigest)>,
    first: Option<First>,
    /// The last recorded cut.
    base: Option<(u64, Option<EntryDigest>)>,
    entries: u64,
    /// The last entry up to which a checkpoint was met.
    met: u64,
    /// The last entry that is missing before another.
    missing: u64,
    /// Checkpoints that end with an entry that is not there, each after the last entry that was met before it.
    unmet: Vec<(u64, Promise)>,
    /// The last entry that a checkpoint covers and a prune cut.
    pruned: u64,
    covered: u64,
    moves: Moves,
    findings: Vec<Finding>,
}

impl JournalCheck {
    /// A check against what the checkpoints say of the journal: number, length and digest, in their order.
    pub fn new(name: impl Into<String>, promises: &[(u64, u64, EntryDigest)]) -> Self {
        let promise = |&(checkpoint, length, digest): &_| Promise { checkpoint, length, digest };
        let mut promises: Vec<_> = promises.iter().map(promise).collect();
        promises.sort_by_key(|promise| (promise.length, promise.checkpoint));
        Self {
            name: name.into(),
            promises: promises.into_iter().peekable(),
            last: None,
            first: None,
            base: None,
            entries: 0,
            met: 0,
            missing: 0,
            unmet: Vec::new(),
            pruned: 0,
            covered: 0,
            moves: Moves::default(),
            findings: Vec::new(),
        }
    }

    /// Takes the next line, without its line break.
    pub fn line(&mut self, line: &[u8]) {
        let digest = EntryDigest::of(line);
        let Line { generation, previous, event } = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) => {
                let next = self.last.map_or(1, |(last, _)| last.saturating_add(1));
                return self
                    .finding(Flaw::Unreadable { why: format!("entry {next} cannot be read: {error}") });
            }
        };
        let word = event.as_ref().map(|event| event.word.as_ref()).unwrap_or_default();
        let (arrives, leaves) = (word == "moved-from", word == "moved-to");
        self.follow(generation, previous, arrives);
        self.entries += 1;
        self.last = Some((generation, digest));
        self.keep_promises(generation, digest);
        if let Some(Event { from, to, record, history, .. }) = event {
            let record = record.unwrap_or_default().into_owned();
            if let Some(from) = from.filter(|_| arrives) {
                self.moves.arrived.insert((from.text(), self.name.clone(), record, generation));
            } else if let Some(to) = to.filter(|_| leaves) {
                self.moves.left.insert((self.name.clone(), to.text(), record));
            } else if let Some(History { base }) = history {
                self.base = Some((base.generation, base.chain));
                self.moves.cut.insert(self.name.clone());
            }
        }
    }

    /// Checks the place of an entry and the digest that it carries.
    fn follow(&mut self, entry: u64, previous: Option<EntryDigest>, arrives: bool) {
        let Some((last, digest)) = self.last else {
            self.first = Some(First { number: entry, previous, arrives });
            return;
        };
        if entry <= last {
            self.finding(Flaw::OutOfOrder { entry, after: last });
        } else if entry - last > 1 && !arrives {
            self.missing = entry - 1;
            self.finding(Flaw::Missing { from: last + 1, to: entry - 1 });
        } else {
            match previous {
                None => self.finding(Flaw::Unchained { entry }),
                Some(previous) if previous != digest => {
                    self.finding(Flaw::Changed { entry: last, by: entry })
                }
                Some(_) => {}
            }
        }
    }

    /// Compares an entry with the checkpoints that end with it.
    fn keep_promises(&mut self, entry: u64, digest: EntryDigest) {
        while let Some(promise) = self.promises.next_if(|promise| promise.length <= entry) {
            if promise.length < entry {
                // A gap in the middle is told already.
                if promise.length > self.missing {
                    self.unmet.push((self.met, promise));
                    self.met = promise.length;
                }
                continue;
            }
            if promise.digest == digest {
                self.covered = self.entries;
            } else {
                let (checkpoint, from) = (promise.checkpoint, self.met.saturating_add(1));
                self.finding(Flaw::Rewritten { checkpoint, from, to: entry });
            }
            self.met = entry;
        }
    }

    /// Checkpoints that end with an entry that is gone. A recorded prune may have cut it.
    fn check_unmet(&mut self) {
        let base = self
            .base
            .filter(|(through, _)| self.first.is_some_and(|first| first.number <= through.saturating_add(1)));
        for (met, promise) in std::mem::take(&mut self.unmet) {
            let Promise { checkpoint, length, digest } = promise;
            match base {
                Some((through, chain)) if length <= through => {
                    self.pruned = self.pruned.max(length);
                    if length == through && chain.is_some_and(|chain| chain != digest) {
                        self.finding(Flaw::Rewritten { checkpoint, from: 1, to: length });
                    }
                }
                _ => self.finding(Flaw::Cut { checkpoint, from: met.saturating_add(1), to: length }),
            }
        }
    }

    /// The result, after the last line.
    pub fn finish(mut self) -> CheckedJournal {
        self.check_unmet();
        let last = self.last.map_or(0, |(last, _)| last);
        if let Some(promise) = self.promises.next_back() {
            let (checkpoint, to) = (promise.checkpoint, promise.length);
            self.finding(Flaw::Cut { checkpoint, from: last.saturating_add(1), to });
        }
        if let Some(first) = self.first.filter(|first| !first.begins()) {
            // A prune that was killed may have left some of what it cut.
            match self.base.filter(|(through, _)| first.number <= through.saturating_add(1)) {
                None => self.finding(Flaw::Beginning { entry: first.number }),
                Some((through, Some(chain)))
                    if first.number == through.saturating_add(1)
                        && first.previous.is_some_and(|previous| previous != chain) =>
                {
                    self.finding(Flaw::Changed { entry: through, by: first.number });
                }
                Some(_) => {}
            }
        }
        let Self { last, entries, covered, pruned, moves, findings, .. } = self;
        CheckedJournal { last, entries, covered, pruned, moves, findings }
    }

    /// Notes a flaw. A file that is no journal at all would have as many as lines.
    fn finding(&mut self, flaw: Flaw) {
        if self.findings.len() == MOST {
            return;
        }
        self.findings.push(Finding { journal: Some(self.name.clone()), flaw });
    }
}
