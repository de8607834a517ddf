//! The source files of a manifest, and positions in them.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A range of bytes in one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The index into [`super::Diagnostics::sources`].
    pub file: u32,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A position for display: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

/// One file of a manifest.
#[derive(Debug)]
pub struct Source {
    /// Its path, relative to the same directory as the path of the root file.
    pub path: PathBuf,
    /// Its content, up to the first byte that is not UTF-8.
    pub text: String,
    /// The first byte of each line. Computed on demand, since only diagnostics need it.
    lines: OnceLock<Vec<u32>>,
}

impl Span {
    /// A range in file number `file`. Files are far smaller than 4 GiB, so offsets fit.
    pub(super) fn new(file: u32, range: &Range<usize>) -> Self {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { file, start: byte(range.start), end: byte(range.end) }
    }

    /// A part of this span, by byte offsets from its start.
    pub(super) fn part(self, range: &Range<usize>) -> Self {
        let inner = Self::new(self.file, range);
        Self { start: self.start + inner.start, end: self.start + inner.end, ..inner }
    }
}

impl Source {
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        Self { path, text, lines: OnceLock::new() }
    }

    /// The first byte of each line.
    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let after_breaks =
                self.text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, at)| at);
            std::iter::once(0).chain(after_breaks).collect()
        })
    }

    /// The line and column of a byte.
    pub fn position(&self, byte: u32) -> Position {
        let line = self.lines().partition_point(|start| *start <= byte).max(1);
        let range = self.line(line);
        let end = (byte as usize).clamp(range.start, range.end);
        let before = self.text.get(range.start..end).unwrap_or_default();
        Position { line, column: before.trim_start_matches('\u{feff}').chars().count() + 1 }
    }

    /// The bytes of a line, counted from 1, without its line break. Empty, at the end of the text, if there is no such
    /// line.
    pub fn line(&self, number: usize) -> Range<usize> {
        let lines = self.lines();
        let Some(start) = lines.get(number.wrapping_sub(1)) else {
            return self.text.len()..self.text.len();
        };
        let start = *start as usize;
        let end = lines.get(number).map_or(self.text.len(), |next| *next as usize);
        start..start + self.text[start..end].trim_end_matches(['\n', '\r']).len()
    }

    /// The number of lines. A text that ends with a line break has an empty last line.
    pub fn line_count(&self) -> usize {
        self.lines().len()
    }
}

/// An append-only list of texts. Borrows of a text stay valid while more are added.
#[derive(Debug, Default)]
pub(super) struct TextArena {
    filled: OnceCell<(String, Box<TextArena>)>,
}

impl TextArena {
    /// Adds a text, and returns it with the next free slot.
    pub(super) fn add(&self, text: String) -> (&str, &TextArena) {
        let mut place = self;
        // Callers hold a free slot, so the loop ends at once.
        while let Some((_, next)) = place.filled.get() {
            place = next;
        }
        let (text, next) = place.filled.get_or_init(|| (text, Box::default()));
        (text, next)
    }

    /// The texts in the order they were added.
    pub(super) fn into_vec(self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut place = self;
        // Unlinks one by one: dropping the whole chain would recurse as deep as it is long.
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
    fn positions_count_characters_from_one() {
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
        let texts = TextArena::default();
        let (first, next) = texts.add("one".to_owned());
        let (second, _) = next.add("two".to_owned());
        assert_eq!((first, second), ("one", "two"));
        assert_eq!(texts.into_vec(), ["one", "two"]);
    }
}
