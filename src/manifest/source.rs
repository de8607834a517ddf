//! The texts that a manifest is made of, and places in them.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A stretch of one of the files, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which of [`super::Diagnostics::sources`].
    pub file: u32,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A place as people count: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One file of a manifest.
#[derive(Debug)]
pub struct Source {
    /// Its path, as it was reached from the root file's.
    pub path: PathBuf,
    /// What it holds; of a file that is not UTF-8, what comes before the first wrong byte.
    pub text: String,
    /// Where lines begin. Worked out when somebody asks, which is when there is something to complain about.
    lines: OnceLock<Vec<u32>>,
}

impl Span {
    /// A stretch of file number `file`. Files are far smaller than 4 GiB, so nothing is cut off.
    pub(super) fn new(file: u32, range: &Range<usize>) -> Self {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { file, start: byte(range.start), end: byte(range.end) }
    }

    /// A part of this stretch, given by byte offsets from its start.
    pub(super) fn part(self, range: &Range<usize>) -> Self {
        let inner = Self::new(self.file, range);
        Self { start: self.start + inner.start, end: self.start + inner.end, ..inner }
    }
}

impl Source {
    /// A file with its text.
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        Self { path, text, lines: OnceLock::new() }
    }

    /// Where each line begins, in bytes.
    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let after_breaks =
                self.text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, at)| at);
            std::iter::once(0).chain(after_breaks).collect()
        })
    }

    /// Where a byte stands, for people.
    pub fn position(&self, byte: u32) -> Position {
        let line = self.lines().partition_point(|start| *start <= byte).max(1);
        let range = self.line(line);
        let end = (byte as usize).clamp(range.start, range.end);
        let before = self.text.get(range.start..end).unwrap_or_default();
        Position { line, column: before.trim_start_matches('\u{feff}').chars().count() + 1 }
    }

    /// The bytes of a line, counted from 1, without its break. Empty at the end for a line that is not there.
    pub fn line(&self, number: usize) -> Range<usize> {
        let lines = self.lines();
        let Some(start) = lines.get(number.wrapping_sub(1)) else {
            return self.text.len()..self.text.len();
        };
        let start = *start as usize;
        let end = lines.get(number).map_or(self.text.len(), |next| *next as usize);
        start..start + self.text[start..end].trim_end_matches(['\n', '\r']).len()
    }

    /// How many lines there are; a text that ends with a break has an empty one behind it.
    pub fn line_count(&self) -> usize {
        self.lines().len()
    }
}

/// An append-only list of texts: what borrows from one stays valid while more are added.
#[derive(Debug, Default)]
pub(super) struct Texts {
    filled: OnceCell<(String, Box<Texts>)>,
}

impl Texts {
    /// Adds a text behind this place, and returns it with the next free place.
    pub(super) fn add(&self, text: String) -> (&str, &Texts) {
        let mut place = self;
        // A free place is always what callers hold, so the loop ends at once.
        while let Some((_, next)) = place.filled.get() {
            place = next;
        }
        let (text, next) = place.filled.get_or_init(|| (text, Box::default()));
        (text, next)
    }

    /// The texts in the order in which they were added.
    pub(super) fn into_vec(self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut place = self;
        // Taken apart one by one: dropping the chain as a whole would recurse as deep as it is long.
        while let Some((text, next)) = place.filled.into_inner() {
            texts.push(text);
            place = *next;
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_and_in_characters() {
        let source = Source::new(PathBuf::from("a"), "\u{feff}é = 1\r\nb\n".to_owned());
        let position = |byte| {
            let Position { line, column } = source.position(byte);
            (line, column)
        };
        assert_eq!(position(0), (1, 1));
        assert_eq!(position(3), (1, 1));
        assert_eq!(position(5), (1, 2));
        assert_eq!(position(11), (2, 1));
        assert_eq!(position(13), (3, 1));
        assert_eq!(position(9999), (3, 1));
        assert_eq!(&source.text[source.line(1)], "\u{feff}é = 1");
        assert_eq!(source.line_count(), 3);
    }

    #[test]
    fn texts_stay_where_they_are() {
        let texts = Texts::default();
        let (first, next) = texts.add("one".to_owned());
        let (second, _) = next.add("two".to_owned());
        assert_eq!((first, second), ("one", "two"));
        assert_eq!(texts.into_vec(), ["one", "two"]);
    }
}
