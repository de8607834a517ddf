//! Masks the values of secrets in a stream, wherever the stream is cut, and finds them in files.

mod automaton;
mod forms;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use crate::fleet::Secrets;

use self::automaton::{Automaton, State};

/// What stands in a log in place of a secret.
const STARS: &[u8] = b"***";

/// So much of a secret must stand at the end of a line for it to go on in the next: `base64` breaks lines.
const BROKEN: usize = 8;

/// How much of a file is read at once.
const PIECE: usize = 64 * 1024;

/// Replaces secrets in a stream by `***`.
///
/// Masked is each value, without blanks and line breaks around it, and of a value of several lines each line as well,
/// for tools that print them one by one, in upper and lower case alike. Of a value of eight bytes or more its forms in base64, hexadecimal, JSON and URLs
/// are too, also where a line break is in them. Secrets that overlap in the stream are masked as a whole.
///
/// Takes a time that is linear in the stream, whatever the secrets are and however the stream is cut.
#[derive(Debug)]
pub struct Mask {
    finder: Finder,
    stream: Stream,
}

/// Knows the secrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Finder(Arc<Automaton>);

/// Where in a stream the search is.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    state: State,
    /// How many bytes of a line break were passed over since the last byte that counted.
    broken: u8,
}

/// What a byte is to the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    Counts,
    /// Part of a line break inside of what may become a secret.
    Breaks,
}

/// A stream on its way through the mask. Places are counted from its beginning.
#[derive(Debug, Default)]
struct Stream {
    position: Position,
    /// The place of the next byte.
    end: u64,
    /// What was not written yet, since it may be the beginning of a secret; before it perhaps what was.
    held: Vec<u8>,
    /// The place of the first byte of `held`.
    first: u64,
    /// The places of the bytes that make up the beginning of a secret.
    begun: VecDeque<u64>,
    /// Secrets that were found in it, apart from each other, and not written yet.
    found: VecDeque<(u64, u64)>,
    /// Up to here everything is written, as it is or as stars.
    written: u64,
}

impl Mask {
    /// A mask for these values.
    pub fn new(secrets: &Secrets) -> Self {
        let finder = Finder(Arc::new(Automaton::new(forms::of(secrets))));
        Self { finder, stream: Stream::default() }
    }

    /// What finds the same secrets elsewhere.
    pub fn finder(&self) -> Finder {
        self.finder.clone()
    }

    /// Appends `bytes`, masked, to `out`; holds back only a tail that is the beginning of a secret.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.stream.feed(&self.finder.0, bytes, out);
    }

    /// Appends what was held back, masked: the stream ended, so it is not the beginning of a longer secret. It may still
    /// be, or hold, a shorter one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.stream.write(self.stream.end, out);
        self.stream = Stream::default();
    }

    /// A whole text, masked. The stream is not touched.
    pub fn text(&self, text: &str) -> String {
        let (mut stream, mut out) = (Stream::default(), Vec::with_capacity(text.len()));
        stream.feed(&self.finder.0, text.as_bytes(), &mut out);
        stream.write(stream.end, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Finder {
    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a secret is in what `source` gives, read piece by piece.
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
    /// Goes on by one byte.
    fn pass(&mut self, automaton: &Automaton, byte: u8) -> Byte {
        let next = automaton.next(self.state, byte);
        // At most `\r\n`, so that no number of line breaks is held back.
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

    /// Takes in a secret that ends here.
    fn find(&mut self, mut start: u64) {
        while let Some((before, _)) = self.found.pop_back_if(|(_, end)| *end > start) {
            start = start.min(before);
        }
        self.found.push_back((start, self.end));
    }

    /// Writes everything before this place. No secret that is found later begins before it.
    fn write(&mut self, until: u64, out: &mut Vec<u8>) {
        let held = &self.held;
        let place = |at: u64| usize::try_from(at - self.first).unwrap_or(held.len());
        while let Some((start, end)) = self.found.pop_front_if(|(start, _)| *start < until) {
            // Otherwise it goes on where another did, whose stars are written.
            if start >= self.written {
                out.extend_from_slice(&held[place(self.written)..place(start)]);
                out.extend_from_slice(STARS);
            }
            self.written = self.written.max(end);
        }
        if self.written < until {
            out.extend_from_slice(&held[place(self.written)..place(until)]);
            self.written = until;
        }
        let gone = place(until);
        // Not byte for byte: moving up a long rest for each of them would take its length squared.
        if gone > held.len() / 2 {
            self.held.drain(..gone);
            self.first = until;
        }
    }
}

#[cfg(test)]
mod tests;
