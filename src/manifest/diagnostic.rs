//! What is wrong with a manifest, and where.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use super::source::{Source, Span};
use super::url::credentials_in;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest can be used, but probably does not say what was meant.
    Warning,
    /// The manifest cannot be used.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, as one lowercase fragment.
    pub message: String,
    /// Where; `None` where no file could be read.
    pub span: Option<Span>,
    /// What stands below the caret, perhaps empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Another place that has to do with it, and why.
    pub related: Option<(Span, String)>,
}

/// Everything that is wrong with a manifest, with the texts it stands in.
#[derive(Debug, Default)]
pub struct Diagnostics {
    /// The files that could be read, the root first.
    pub sources: Vec<Source>,
    /// In the order of the files and of the places in them.
    pub items: Vec<Diagnostic>,
    /// Stretches that may hold a secret, ascending and apart: views show none of them.
    masked: Vec<Span>,
    /// How many more there were than are listed.
    pub left_out: usize,
}

impl Diagnostics {
    /// Adds what was found later in the same files.
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

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a byte of a file may be a part of a secret.
    pub fn is_masked(&self, file: u32, byte: u32) -> bool {
        let after = self.masked.partition_point(|span| (span.file, span.start) <= (file, byte));
        let last = after.checked_sub(1).map(|at| self.masked[at]);
        last.is_some_and(|span| span.file == file && byte < span.end)
    }

    /// How many of the listed are of this severity.
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
            more => write!(f, ", and {more} more that are not listed"),
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

/// Collects what is found, so that one mistake does not hide the next.
#[derive(Debug, Default)]
pub(super) struct Report {
    items: RefCell<Vec<Diagnostic>>,
    masked: RefCell<Vec<Span>>,
    /// The lines that could not be parsed, by file and first byte, with the byte behind the last.
    broken: RefCell<BTreeMap<(u32, u32), u32>>,
    left_out: Cell<usize>,
    failed: Cell<bool>,
    incomplete: Cell<bool>,
}

/// More than anybody reads, and little enough to be shown in a blink.
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

    /// For complaints that something is not there: silent when a part of the manifest could not be read, since it may
    /// stand there.
    pub(super) fn absent(&self, item: Diagnostic) {
        if !self.incomplete.get() {
            self.add(item);
        }
    }

    /// Says that a stretch may hold a secret.
    pub(super) fn mask(&self, span: Span) {
        self.masked.borrow_mut().push(span);
    }

    /// Reports that the line around `place` could not be parsed, unless that was said of the line already.
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

    /// Whether this place lies in a line that could not be parsed, so that what stands there means nothing.
    fn is_broken(&self, place: Span) -> bool {
        let broken = self.broken.borrow();
        let last = broken.range((place.file, 0)..=(place.file, place.start)).next_back();
        last.is_some_and(|(_, end)| place.start <= *end)
    }

    /// Whether a line of this file could not be parsed, so that what follows it may have ended up in the wrong table.
    pub(super) fn has_broken(&self, file: u32) -> bool {
        self.broken.borrow().range((file, 0)..=(file, u32::MAX)).next().is_some()
    }

    /// Says that a part of the manifest could not be read.
    pub(super) fn incomplete(&self) {
        self.incomplete.set(true);
    }

    /// Whether nothing more is listed; then thinking of suggestions is pointless.
    pub(super) fn is_full(&self) -> bool {
        self.items.borrow().len() >= MOST
    }

    /// Whether there was an error, listed or not.
    pub(super) fn failed(&self) -> bool {
        self.failed.get()
    }

    /// What was found, in the order of the files and of the places in them.
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

/// The credentials in URLs, also of those that nobody got to read as such: in a line that is no TOML, behind a key that is unknown.
fn credentials(sources: &[Source]) -> impl Iterator<Item = Span> {
    let of = |(source, file): (&'_ Source, u32)| {
        credentials_in(&source.text).map(move |range| Span::new(file, &range)).collect::<Vec<_>>()
    };
    sources.iter().zip(0..).flat_map(of)
}

/// The same stretches in ascending order, where some of them overlap put together.
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
