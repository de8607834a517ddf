//! What is wrong with a file, where, and what to do about it.

use std::fmt;
use std::ops::Range;

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    what: String,
    place: Option<Place>,
    hint: Option<String>,
}

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters; a byte-order mark is none.
    pub column: usize,
    /// The bytes of it, for a caret under them.
    pub span: Range<usize>,
}

impl FormatError {
    /// A mistake of the file as a whole.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, hint: None }
    }

    /// The same mistake, at `span` of `text`.
    #[must_use]
    pub fn at(mut self, text: &str, span: Range<usize>) -> Self {
        self.place = Some(Place::new(text, span));
        self
    }

    /// The same mistake, with what a person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong, without where.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where; `None` if it is about the file as a whole.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// What a person can do about it.
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

impl Place {
    /// Counts lines as editors do: they end with `\n`, `\r\n` or a lone `\r`.
    pub fn new(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let before = before.strip_prefix('\u{feff}').unwrap_or(before);
        // A `\r` whose `\n` comes after the place has not ended its line yet.
        let breaks = before.match_indices(['\n', '\r']).filter(|&(at, found)| {
            let next = before.as_bytes().get(at + 1).or_else(|| text.as_bytes().get(span.start));
            found == "\n" || next != Some(&b'\n')
        });
        let (count, last) = breaks.fold((0, 0), |(count, _), (at, _)| (count + 1, at + 1));
        Self { line: count + 1, column: before[last..].chars().count() + 1, span }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Whether a name that has no meaning was probably written for `known`.
pub fn is_meant(written: &str, known: &str) -> bool {
    strsim::osa_distance(&written.to_lowercase(), &known.to_lowercase()) <= 2
}

/// A piece of a file as it can be quoted in a message: on one line, not too long, harmless to a terminal.
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
