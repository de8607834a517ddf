//! Masks the values of secrets in a stream, however the stream is cut, and finds them in files.

mod automaton;
mod forms;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use crate::fleet::Secrets;

use self::automaton::{Automaton, State};

/// Replaces a secret in a log.
const STARS: &[u8] = b"***";

/// The least bytes of a secret before a line break for the match to continue on the next line: `base64` wraps lines.
const BROKEN: usize = 8;

/// How many bytes of a file are read at once.
const PIECE: usize = 64 * 1024;

/// Replaces secrets in a stream by `***`.
///
/// Masks each value in either case, without surrounding whitespace, and each line of a value with several lines, for
/// tools that print them one by one. A value of eight bytes or more is also masked in base64, hexadecimal, JSON and URL
/// encoding, even across a line break. Secrets that overlap in the stream are masked as a whole.
///
/// Takes linear time in the stream, whatever the secrets are and however the stream is cut.
#[derive(Debug)]
pub struct Mask {
    finder: Finder,
    stream: Stream,
}

/// Finds the secrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Finder(Arc<Automaton>);

/// The position of the search in a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    state: State,
    /// How many bytes of a line break were skipped since the last byte that counted.
    broken: u8,
}

/// How the search treats a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    Counts,
    /// Part of a line break inside a possible secret.
    Breaks,
}

/// A stream being masked. Offsets count from its beginning.
#[derive(Debug, Default)]
struct Stream {
    position: Position,
    /// The offset of the next byte.
    end: u64,
    /// Bytes held back because they may begin a secret, perhaps after some already written.
    held: Vec<u8>,
    /// The offset of the first byte of `held`.
    first: u64,
    /// The offsets of the bytes that form the beginning of a secret.
    begun: VecDeque<u64>,
    /// The start and end of secrets found but not yet written; they do not overlap.
    found: VecDeque<(u64, u64)>,
    /// Everything before this offset is written, verbatim or as stars.
    written: u64,
}

impl Mask {
    /// A mask for these values.
    pub fn new(secrets: &Secrets) -> Self {
        let finder = Finder(Arc::new(Automaton::new(forms::of(secrets))));
        Self { finder, stream: Stream::default() }
    }

    /// Finds the same secrets elsewhere.
    pub fn finder(&self) -> Finder {
        self.finder.clone()
    }

    /// Appends `bytes`, masked, to `out`. Holds back only a tail that may begin a secret.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.stream.feed(&self.finder.0, bytes, out);
    }

    /// Appends the bytes held back, masked, and resets the stream. They do not begin a longer secret, but may still be,
    /// or contain, a shorter one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.stream.write(self.stream.end, out);
        self.stream = Stream::default();
    }

    /// Masks a whole text, without touching the stream.
    pub fn text(&self, text: &str) -> String {
        let (mut stream, mut out) = (Stream::default(), Vec::with_capacity(text.len()));
        stream.feed(&self.finder.0, text.as_bytes(), &mut out);
        stream.write(stream.end, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Finder {
    /// Whether there are no secrets to find.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `source` contains a secret. Reads it piece by piece.
    pub fn is_in(&self, mut source: impl Read) -> io::Result<bool> {
        let (mut position, mut piece) = (Position::default(), vec![0; PIECE]);
        loop {
            let length = match source.read(&mut piece) {
                Ok(0) => return Ok(false),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            for byte in &piece[..length] {
                position.pass(&self.0, *byte);
                if self.0.found(position.state) > 0 {
                    return Ok(true);
                }
            }
        }
    }
}

impl Position {
    /// Advances by one byte.
    fn pass(&mut self, automaton: &Automaton, byte: u8) -> Byte {
        let next = automaton.next(self.state, byte);
        // At most one `\r\n`, so that repeated line breaks are not held back.
        let breaks = byte == b'\n' && self.broken < 2 || byte == b'\r' && self.broken == 0;
        if next == 0 && breaks && automaton.depth(self.state) >= BROKEN && automaton.goes_on(self.state) {
            self.broken = if byte == b'\n' { 2 } else { 1 };
            return Byte::Breaks;
        }
        *self = Self { state: next, broken: 0 };
        Byte::Counts
    }
}

impl Stream {
    fn feed(&mut self, automaton: &Automaton, bytes: &[u8], out: &mut Vec<u8>) {
        if automaton.is_empty() {
            return out.extend_from_slice(bytes);
        }
        self.held.extend(bytes);
        for byte in bytes {
            let passed = self.position.pass(automaton, *byte);
            self.end += 1;
            if passed == Byte::Breaks {
                continue;
            }
            let depth = automaton.depth(self.position.state);
            if depth == 0 {
                self.begun.clear();
                continue;
            }
            self.begun.push_back(self.end - 1);
            while self.begun.len() > depth {
                self.begun.pop_front();
            }
            let found = automaton.found(self.position.state);
            if found > 0 {
                self.find(self.begun[depth - found]);
            }
        }
        self.write(self.begun.front().copied().unwrap_or(self.end), out);
    }

    /// Adds a secret that ends here, merged with those it overlaps.
    fn find(&mut self, mut start: u64) {
        while let Some((before, _)) = self.found.pop_back_if(|(_, end)| *end > start) {
            start = start.min(before);
        }
        self.found.push_back((start, self.end));
    }

    /// Writes everything before this offset. No secret found later starts before it.
    fn write(&mut self, until: u64, out: &mut Vec<u8>) {
        let held = &self.held;
        let index = |at: u64| usize::try_from(at - self.first).unwrap_or(held.len());
        while let Some((start, end)) = self.found.pop_front_if(|(start, _)| *start < until) {
            // Otherwise it overlaps a secret whose stars are already written.
            if start >= self.written {
                out.extend_from_slice(&held[index(self.written)..index(start)]);
                out.extend_from_slice(STARS);
            }
            self.written = self.written.max(end);
        }
        if self.written < until {
            out.extend_from_slice(&held[index(self.written)..index(until)]);
            self.written = until;
        }
        let gone = index(until);
        // Not after every byte: shifting a long rest each time would take quadratic time.
        if gone > held.len() / 2 {
            self.held.drain(..gone);
            self.first = until;
        }
    }
}

#[cfg(test)]
mod tests;
