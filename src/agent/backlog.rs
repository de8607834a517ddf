//! The part of a log that waits to be stored: all of its beginning, and the newest output after it.

use std::io;
use std::mem;
use std::path::PathBuf;

use super::spool::Spool;

/// How much of a log is kept, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The beginning, always kept.
    pub head: u64,
    /// After the beginning, between this much and twice as much may wait for the store.
    pub waiting: u64,
    /// After the beginning, at most this much is stored …
    pub stored: u64,
    /// … and trimmed to this much once there is more.
    pub left: u64,
}

/// Bytes that wait for the store.
#[derive(Debug)]
pub struct Backlog {
    head: Spool,
    /// Bytes still missing from the beginning.
    room: u64,
    tail: Tail,
}

/// A part of the log to store as one chunk.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// Bytes of output it stands for: its own, plus those dropped right before it.
    pub output: u64,
    /// Whether it comes after the beginning.
    pub is_tail: bool,
}

/// The newest bytes of an endless stream, in two halves: when the newer one is full, the older one is dropped.
#[derive(Debug)]
struct Tail {
    older: Spool,
    newer: Spool,
    half: u64,
    /// Bytes dropped before both halves.
    dropped: u64,
    /// How much each half may hold in memory; the rest goes to `directory`.
    memory: usize,
    directory: Option<PathBuf>,
}

impl Backlog {
    /// Holds `memory` bytes of each part in memory, the rest in files in `directory`.
    pub fn new(memory: usize, limits: Limits, directory: Option<PathBuf>) -> Self {
        let spool = || Spool::new(memory, directory.clone());
        let (older, newer) = (spool(), spool());
        let head = spool();
        let tail = Tail { older, newer, half: limits.waiting, dropped: 0, memory, directory };
        Self { head, room: limits.head, tail }
    }

    /// The number of waiting bytes.
    pub fn len(&self) -> u64 {
        self.head.len() + self.tail.older.len() + self.tail.newer.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the bytes. The error says how many bytes at the end of the log's beginning were lost, and why.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), (u64, io::Error)> {
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        let (head, tail) = bytes.split_at(bytes.len().min(room));
        self.room -= head.len() as u64;
        let pushed = self.head.push(head);
        self.tail.push(tail);
        pushed
    }

    /// Removes the oldest bytes, about `most`. The error says how many bytes can no longer be read.
    pub fn take(&mut self, most: usize) -> (Piece, Result<(), (u64, io::Error)>) {
        if !self.head.is_empty() {
            let bytes = self.head.first(most).to_vec();
            let (output, is_tail) = (bytes.len() as u64, false);
            let left = self.head.drop_first(bytes.len());
            return (Piece { bytes, output, is_tail }, left);
        }
        let dropped = mem::take(&mut self.tail.dropped);
        let spool = if self.tail.older.is_empty() { &mut self.tail.newer } else { &mut self.tail.older };
        let first = spool.first(most);
        let output = dropped + first.len() as u64;
        let bytes = if dropped > 0 { [left_out(dropped).as_bytes(), first].concat() } else { first.to_vec() };
        let length = first.len();
        let left = spool.drop_first(length);
        (Piece { bytes, output, is_tail: true }, left)
    }
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if !self.newer.is_empty() && self.newer.len() + bytes.len() as u64 > self.half {
            self.dropped += self.older.len();
            self.older = mem::replace(&mut self.newer, Spool::new(self.memory, self.directory.clone()));
        }
        let before = self.older.len() + self.newer.len();
        if self.newer.push(bytes).is_err() {
            // The disk is full. The newest output matters most: memory holds some of it.
            let spool = || Spool::new(self.memory, self.directory.clone());
            (self.older, self.newer) = (spool(), spool());
            let (gone, newest) = bytes.split_at(bytes.len().saturating_sub(self.memory));
            self.dropped += before + gone.len() as u64;
            let _ = self.newer.push(newest);
        }
    }
}

/// The line that replaces omitted output in a log.
pub fn left_out(bytes: u64) -> String {
    format!(
        "\nkatkit: {bytes} bytes of output are omitted here: only the beginning and the end of a long log are kept\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(backlog: &mut Backlog) -> (String, u64) {
        let (mut text, mut output) = (Vec::new(), 0);
        while !backlog.is_empty() {
            let (piece, left) = backlog.take(4);
            left.unwrap();
            text.extend(piece.bytes);
            output += piece.output;
        }
        (String::from_utf8(text).unwrap(), output)
    }

    fn backlog(directory: Option<PathBuf>) -> Backlog {
        Backlog::new(8, Limits { head: 10, waiting: 20, stored: 0, left: 0 }, directory)
    }

    #[test]
    fn the_head_waits_whole_and_the_tail_keeps_its_newest_bytes() {
        let mut backlog = backlog(None);
        let text: String = ('0'..='z').chain('0'..='z').collect();
        for piece in text.as_bytes().chunks(3) {
            backlog.push(piece).unwrap();
        }
        let (kept, output) = taken(&mut backlog);
        assert_eq!(output, text.len() as u64);
        let (head, rest) = kept.split_once("\nkatkit: ").unwrap();
        let (note, tail) = rest.split_once('\n').unwrap();
        let left: usize = note.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(head, &text[..10]);
        assert!((20..=40).contains(&tail.len()) && text.ends_with(tail), "{tail}");
        assert_eq!(head.len() + left + tail.len(), text.len());
    }

    #[test]
    fn the_end_is_kept_even_if_no_file_can_be_written() {
        let mut backlog = backlog(Some("/proc/no-such-directory".into()));
        backlog.push(b"0123456789").unwrap_err();
        let mut output = 8;
        for piece in ["abcde", "fghij", "klmno", "the-end"] {
            backlog.push(piece.as_bytes()).unwrap();
            output += piece.len() as u64;
        }
        let (kept, stood_for) = taken(&mut backlog);
        assert!(kept.starts_with("01234567\nkatkit: ") && kept.ends_with("the-end"), "{kept}");
        assert_eq!(stood_for, output);
    }
}
