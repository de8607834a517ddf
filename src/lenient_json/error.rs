//! Errors in a file, with position and hint.

use std::fmt;
use std::ops::Range;

/// An error in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    what: String,
    place: Option<FilePosition>,
    hint: Option<String>,
}

/// A position in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// Starts at 1.
    pub line: usize,
    /// Starts at 1, in characters; a byte-order mark does not count.
    pub column: usize,
    /// The byte range to mark in a report.
    pub span: Range<usize>,
}

impl FormatError {
    /// An error of the file as a whole.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, hint: None }
    }

    /// Sets the position to `span` of `text`.
    #[must_use]
    pub fn at(mut self, text: &str, span: Range<usize>) -> Self {
        self.place = Some(FilePosition::new(text, span));
        self
    }

    /// Sets what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message, without position.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The position; `None` if the error is about the file as a whole.
    pub fn place(&self) -> Option<&FilePosition> {
        self.place.as_ref()
    }

    /// What the user can do about it.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} ({place})", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for FormatError {}

impl FilePosition {
    /// Counts lines as editors do: they end with `\n`, `\r\n` or a lone `\r`.
    pub fn new(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let before = before.strip_prefix('\u{feff}').unwrap_or(before);
        // A `\r` right before `span` does not end its line if a `\n` follows.
        let breaks = before.match_indices(['\n', '\r']).filter(|&(at, found)| {
            let next = before.as_bytes().get(at + 1).or_else(|| text.as_bytes().get(span.start));
            found == "\n" || next != Some(&b'\n')
        });
        let (count, last) = breaks.fold((0, 0), |(count, _), (at, _)| (count + 1, at + 1));
        Self { line: count + 1, column: before[last..].chars().count() + 1, span }
    }
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Whether an unknown name is probably a typo of `known`.
pub fn is_meant(written: &str, known: &str) -> bool {
    strsim::osa_distance(&written.to_lowercase(), &known.to_lowercase()) <= 2
}

/// Quotes a piece of a file for a message: on one line, shortened, with control characters escaped.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == LONGEST {
            shown.push('…');
            break;
        }
        // `escape_debug` would also escape quotes, which are harmless and more readable as they are.
        if matches!(c, '"' | '\'' | '\\') { shown.push(c) } else { shown.extend(c.escape_debug()) }
    }
    shown
}
