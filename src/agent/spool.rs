//! What is waiting to be stored: its beginning in memory, and in a file of no name what memory must not hold.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Bytes in the order in which they came.
#[derive(Debug)]
pub struct Spool {
    /// The oldest.
    memory: Vec<u8>,
    /// How many of these memory may hold.
    room: usize,
    /// Where the file is made; `None`: where the system has its temporary files.
    directory: Option<PathBuf>,
    file: Option<Overflow>,
}

#[derive(Debug)]
struct Overflow {
    file: File,
    /// Bytes that are back in memory, or were.
    read: u64,
    written: u64,
}

impl Spool {
    /// Keeps at most `room` bytes in memory, and the others in a file in `directory`.
    pub fn new(room: usize, directory: Option<PathBuf>) -> Self {
        Self { memory: Vec::new(), room, directory, file: None }
    }

    /// How many bytes wait.
    pub fn len(&self) -> u64 {
        self.memory.len() as u64 + self.file.as_ref().map_or(0, |file| file.written - file.read)
    }

    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.file.is_none()
    }

    /// Takes the bytes. Returns how many of them could not be kept, and why; these are the last.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), (u64, io::Error)> {
        let free = if self.file.is_some() { 0 } else { self.room.saturating_sub(self.memory.len()) };
        let (now, rest) = bytes.split_at(free.min(bytes.len()));
        self.memory.extend_from_slice(now);
        if rest.is_empty() {
            return Ok(());
        }
        self.overflow(rest).map_err(|error| (rest.len() as u64, error))
    }

    fn overflow(&mut self, bytes: &[u8]) -> io::Result<()> {
        let overflow = match &mut self.file {
            Some(overflow) => overflow,
            None => {
                let file = match &self.directory {
                    Some(directory) => tempfile::tempfile_in(directory)?,
                    None => tempfile::tempfile()?,
                };
                self.file.insert(Overflow { file, read: 0, written: 0 })
            }
        };
        overflow.file.seek(SeekFrom::Start(overflow.written))?;
        // What a full disk takes of it and no more is written over by the next.
        overflow.file.write_all(bytes)?;
        overflow.written += bytes.len() as u64;
        Ok(())
    }

    /// The oldest bytes, at most `most`; they stay until [`Spool::drop_first`].
    pub fn first(&self, most: usize) -> &[u8] {
        &self.memory[..self.memory.len().min(most)]
    }

    /// Forgets the oldest bytes, which are stored now, and reads on. The error is how many bytes cannot be read any more.
    pub fn drop_first(&mut self, number: usize) -> Result<(), (u64, io::Error)> {
        self.memory.drain(..number);
        if self.memory.is_empty() { self.refill() } else { Ok(()) }
    }

    fn refill(&mut self) -> Result<(), (u64, io::Error)> {
        let Some(mut overflow) = self.file.take() else { return Ok(()) };
        let left = overflow.written - overflow.read;
        let length = left.min(self.room as u64);
        let mut read = || {
            overflow.file.seek(SeekFrom::Start(overflow.read))?;
            (&mut overflow.file).take(length).read_to_end(&mut self.memory)
        };
        match read() {
            Ok(_) => {
                overflow.read += length;
                // The file goes with its last byte.
                self.file = Some(overflow).filter(|file| file.read < file.written);
                Ok(())
            }
            Err(error) => {
                self.memory.clear();
                Err((left, error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_memory_does_not_hold_comes_back_in_order() {
        let mut spool = Spool::new(10, None);
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let (mut pushed, mut taken) = (text.chunks(7), Vec::new());
        // Two in, one out, and at last everything out.
        while !spool.is_empty() || pushed.len() > 0 {
            for piece in pushed.by_ref().take(2) {
                spool.push(piece).unwrap();
            }
            let first = spool.first(9).to_vec();
            assert!(!first.is_empty() && spool.memory.len() <= 10);
            spool.drop_first(first.len()).unwrap();
            taken.extend(first);
        }
        assert_eq!(taken, text);
        assert_eq!(spool.len(), 0);
    }
}
