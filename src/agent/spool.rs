//! Bytes that wait to be stored: the first ones in memory, the rest in an unnamed file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// A queue of bytes.
#[derive(Debug)]
pub struct Spool {
    /// The oldest bytes.
    memory: Vec<u8>,
    /// The most bytes to hold in memory.
    room: usize,
    /// Where to create the file; `None`: in the system's temporary directory.
    directory: Option<PathBuf>,
    file: Option<Overflow>,
}

#[derive(Debug)]
struct Overflow {
    file: File,
    /// Bytes read back into memory so far.
    read: u64,
    written: u64,
}

impl Spool {
    /// Keeps at most `room` bytes in memory, the rest in a file in `directory`.
    pub fn new(room: usize, directory: Option<PathBuf>) -> Self {
        Self { memory: Vec::new(), room, directory, file: None }
    }

    /// The number of waiting bytes.
    pub fn len(&self) -> u64 {
        self.memory.len() as u64 + self.file.as_ref().map_or(0, |file| file.written - file.read)
    }

    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.file.is_none()
    }

    /// Adds the bytes. The error says how many bytes at their end could not be kept, and why.
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
        // On a full disk, a partial write is overwritten by the next push.
        overflow.file.write_all(bytes)?;
        overflow.written += bytes.len() as u64;
        Ok(())
    }

    /// The oldest bytes, at most `most`. They stay until [`Spool::drop_first`].
    pub fn first(&self, most: usize) -> &[u8] {
        &self.memory[..self.memory.len().min(most)]
    }

    /// Drops the oldest bytes, and reads more back into memory. The error says how many bytes can no longer be read.
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
                // The file is closed, and so removed, with its last byte.
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
    fn overflowed_bytes_come_back_in_order() {
        let mut spool = Spool::new(10, None);
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let (mut pushed, mut taken) = (text.chunks(7), Vec::new());
        // Two in, one out; then everything out.
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
