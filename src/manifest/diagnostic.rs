//! Diagnostics: the problems of a manifest and their positions.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use super::credentials::credentials_in;
use super::source::{Source, Span};

/// The severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest is usable, but probably not as intended.
    Warning,
    /// The manifest is unusable.
    Error,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The problem, as one lowercase fragment.
    pub message: String,
    /// The position; `None` if no file could be read.
    pub span: Option<Span>,
    /// The text below the caret; may be empty.
    pub label: String,
    /// How to fix it.
    pub help: Option<String>,
    /// A related position, and how it is related.
    pub related: Option<(Span, String)>,
}

/// All problems of a manifest, with its source files.
#[derive(Debug, Default)]
pub struct Diagnostics {
    /// The files that could be read, the root first.
    pub sources: Vec<Source>,
    /// Sorted by file and position.
    pub items: Vec<Diagnostic>,
    /// Spans that may hold a secret, ascending and disjoint. Views never show them.
    masked: Vec<Span>,
    /// How many more there are than `items` lists.
    pub left_out: usize,
}

impl Diagnostics {
    /// Adds diagnostics found later in the same files.
    pub(super) fn extend(&mut self, sources: Vec<Source>, found: Vec<Diagnostic>) {
        if self.sources.is_empty() {
            self.sources = sources;
        }
        let room = MOST.saturating_sub(self.items.len());
        self.left_out += found.len().saturating_sub(room);
        self.items.extend(found.into_iter().take(room));
        self.items.sort_by_key(|item| item.span);
        let mut masked = std::mem::take(&mut self.masked);
        masked.extend(credentials(&self.sources));
        self.masked = apart(masked);
    }

    /// Whether there are no diagnostics.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a byte of a file may belong to a secret.
    pub fn is_masked(&self, file: u32, byte: u32) -> bool {
        let after = self.masked.partition_point(|span| (span.file, span.start) <= (file, byte));
        let last = after.checked_sub(1).map(|at| self.masked[at]);
        last.is_some_and(|span| span.file == file && byte < span.end)
    }

    /// How many listed diagnostics have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|item| item.severity == severity).count()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        match (errors, warnings) {
            (0, _) => f.write_str(&count(warnings, "warning"))?,
            (_, 0) => f.write_str(&count(errors, "error"))?,
            _ => write!(f, "{}, {}", count(errors, "error"), count(warnings, "warning"))?,
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, ", and {more} more not listed"),
        }
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostic {
    fn new(severity: Severity, span: Span, message: impl Into<String>) -> Self {
        let (label, help, related) = (String::new(), None, None);
        Self { severity, message: message.into(), span: Some(span), label, help, related }
    }

    pub(super) fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message)
    }

    pub(super) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span, message)
    }

    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(super) fn related(self, span: Span, why: impl Into<String>) -> Self {
        Self { related: Some((span, why.into())), ..self }
    }
}

/// Collects diagnostics, so that one mistake does not hide the next.
#[derive(Debug, Default)]
pub(super) struct Report {
    items: RefCell<Vec<Diagnostic>>,
    masked: RefCell<Vec<Span>>,
    /// The lines that could not be parsed: file and first byte, and the byte after the last.
    broken: RefCell<BTreeMap<(u32, u32), u32>>,
    left_out: Cell<usize>,
    failed: Cell<bool>,
    incomplete: Cell<bool>,
}

/// The most diagnostics kept: more than anyone reads, few enough to show at once.
const MOST: usize = 1000;

impl Report {
    pub(super) fn add(&self, item: Diagnostic) {
        if item.span.is_some_and(|span| self.is_broken(span)) {
            return;
        }
        self.failed.set(self.failed.get() || item.severity == Severity::Error);
        let mut items = self.items.borrow_mut();
        // A mistake in a template is found for every tenant that uses it.
        if items.contains(&item) {
            return;
        }
        if items.len() < MOST {
            items.push(item);
        } else {
            self.left_out.set(self.left_out.get() + 1);
        }
    }

    /// Reports that something is missing. Silent if a part of the manifest could not be read, since it may be there.
    pub(super) fn absent(&self, item: Diagnostic) {
        if !self.incomplete.get() {
            self.add(item);
        }
    }

    /// Marks a span that may hold a secret.
    pub(super) fn mask(&self, span: Span) {
        self.masked.borrow_mut().push(span);
    }

    /// Reports that the line around `place` could not be parsed, at most once per line.
    pub(super) fn broken(&self, text: &str, place: Span, message: &str) {
        self.incomplete();
        if !self.is_broken(place) {
            self.add(Diagnostic::error(place, message).label("not TOML"));
            let (before, after) = text.as_bytes().split_at(text.len().min(place.start as usize));
            let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let end = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
            let line = Span::new(place.file, &(start..before.len() + end));
            self.broken.borrow_mut().insert((line.file, line.start), line.end);
        }
    }

    /// Whether this position is in a line that could not be parsed.
    fn is_broken(&self, place: Span) -> bool {
        let broken = self.broken.borrow();
        let last = broken.range((place.file, 0)..=(place.file, place.start)).next_back();
        last.is_some_and(|(_, end)| place.start <= *end)
    }

    /// Whether a line of this file could not be parsed, so that the lines after it may belong to another table.
    pub(super) fn has_broken(&self, file: u32) -> bool {
        self.broken.borrow().range((file, 0)..=(file, u32::MAX)).next().is_some()
    }

    /// Records that a part of the manifest could not be read.
    pub(super) fn incomplete(&self) {
        self.incomplete.set(true);
    }

    /// Whether no more diagnostics are kept, so that computing suggestions is pointless.
    pub(super) fn is_full(&self) -> bool {
        self.items.borrow().len() >= MOST
    }

    /// Whether there was an error, listed or not.
    pub(super) fn failed(&self) -> bool {
        self.failed.get()
    }

    /// All diagnostics, sorted by file and position.
    pub(super) fn finish(self, sources: Vec<Source>) -> Diagnostics {
        let mut items = self.items.into_inner();
        items.sort_by_key(|item| item.span);
        let mut masked = self.masked.into_inner();
        if !items.is_empty() {
            masked.extend(credentials(&sources));
        }
        Diagnostics { sources, items, masked: apart(masked), left_out: self.left_out.get() }
    }
}

/// The credentials in URLs anywhere in the text, even in a line that is not TOML or in the value of an unknown key.
fn credentials(sources: &[Source]) -> impl Iterator<Item = Span> {
    let of = |(source, file): (&'_ Source, u32)| {
        credentials_in(&source.text).map(move |range| Span::new(file, &range)).collect::<Vec<_>>()
    };
    sources.iter().zip(0..).flat_map(of)
}

/// The spans in ascending order, with overlapping ones merged.
fn apart(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    spans.dedup_by(|next, span| {
        let overlap = next.file == span.file && next.start <= span.end;
        if overlap {
            span.end = span.end.max(next.end);
        }
        overlap
    });
    spans
}
