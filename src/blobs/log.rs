//! Reads a replica's log chunk by chunk while it grows.
//!
//! The agent keeps the beginning and the end of a long log. While it writes later chunks it empties the middle ones,
//! oldest first; the first of them states how much is missing.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::screen::as_shown;
use super::{BlobError, BlobKey, Blobs, Listed};

/// Bytes to read, plus one chunk, to find the last lines of a log.
const MOST: usize = 1024 * 1024;

/// Size limit of a chunk in bytes; agents write a quarter of a MiB.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Characters to keep of each of the last lines.
const LONGEST: usize = 1000;

/// Reads a replica's log from its beginning; every further call reads what was added.
#[derive(Debug)]
pub struct LogReader {
    replica: BlobKey,
    next: u32,
    /// Size of the chunk before `next`.
    before: u64,
    /// The last chunk that was read and the following ones, as far as listed.
    listed: VecDeque<LogChunk>,
}

/// A chunk of a log in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Position in the log, from 1.
    pub number: u32,
    /// Size in bytes; 0 once it is emptied.
    pub size: u64,
    /// Time of storage, a little after its lines were printed; `None` if the store does not report it.
    pub stored: Option<Timestamp>,
}

impl LogReader {
    /// A reader of the log under a replica's key.
    pub fn new(replica: BlobKey) -> Self {
        Self { replica, next: 1, before: 0, listed: VecDeque::new() }
    }

    /// A reader that starts with the first chunk stored at or after `since`. Lists the log first.
    pub async fn since(
        blobs: &dyn Blobs,
        replica: BlobKey,
        since: Option<Timestamp>,
    ) -> Result<Self, BlobError> {
        let mut reader = Self::new(replica);
        reader.listed = reader.list(blobs, 0).await?;
        let is_older = |chunk: &LogChunk| since > chunk.stored && chunk.stored.is_some();
        while let Some(LogChunk { number, size, .. }) = reader.listed.pop_front_if(|chunk| is_older(chunk)) {
            (reader.next, reader.before) = (number + 1, size);
        }
        Ok(reader)
    }

    /// Chunks that were listed but not read yet, without empty ones.
    pub fn ahead(&self) -> impl Iterator<Item = &LogChunk> {
        self.listed.iter().filter(|chunk| chunk.number >= self.next && chunk.size > 0)
    }

    /// When the chunk read last was stored. Lists the log again if the last listing does not include it.
    pub async fn stored(&mut self, blobs: &dyn Blobs) -> Result<Option<Timestamp>, BlobError> {
        let last = self.position();
        while self.listed.pop_front_if(|chunk| chunk.number < last).is_some() {}
        if self.listed.front().is_none_or(|chunk| chunk.number != last) {
            self.listed = self.list(blobs, last.saturating_sub(1)).await?;
        }
        Ok(self.listed.front().and_then(|chunk| chunk.stored))
    }

    /// The chunks after the given number. A chunk is stored before the next one, but again when it is emptied: its time
    /// is capped by those of later chunks.
    async fn list(&self, blobs: &dyn Blobs, after: u32) -> Result<VecDeque<LogChunk>, BlobError> {
        let after = (after > 0).then(|| self.replica.log_chunk(after));
        let listed = blobs.list(&self.replica.log(), after.as_ref()).await?;
        let chunk = |Listed { key, size, modified }: &Listed| {
            Some(LogChunk { number: number(key)?, size: *size, stored: *modified })
        };
        let mut chunks: VecDeque<_> = listed.iter().filter_map(chunk).collect();
        let mut later = None;
        for chunk in chunks.iter_mut().rev() {
            later = [chunk.stored, later].into_iter().flatten().min();
            chunk.stored = later;
        }
        Ok(chunks)
    }

    /// What was added since the last call; empty if nothing was. Returns one chunk at a time to bound memory: call it
    /// until the result is empty.
    pub async fn more(&mut self, blobs: &dyn Blobs) -> Result<Vec<u8>, BlobError> {
        loop {
            let chunk = blobs.get_within(&self.replica.log_chunk(self.next), LARGEST).await?;
            match chunk {
                None => return Ok(Vec::new()),
                Some(chunk) if !chunk.is_empty() => {
                    self.next += 1;
                    self.before = chunk.len() as u64;
                    return Ok(chunk);
                }
                Some(_) => {
                    if let Some(note) = self.pass_over(blobs).await? {
                        return Ok(note);
                    }
                }
            }
        }
    }

    /// Number of the last chunk read or skipped.
    pub fn position(&self) -> u32 {
        self.next - 1
    }

    /// Skips emptied chunks. Returns a note about the gap, unless the last chunk that was read already contains it.
    async fn pass_over(&mut self, blobs: &dyn Blobs) -> Result<Option<Vec<u8>>, BlobError> {
        let before = self.position();
        let after = before.checked_sub(1).map(|number| self.replica.log_chunk(number));
        let listed = blobs.list(&self.replica.log(), after.as_ref()).await?;
        let chunks = listed.iter().filter_map(|chunk| Some((number(&chunk.key)?, chunk.size)));
        let (mut same, mut next) = (before == 0, self.next + 1);
        for (number, size) in chunks {
            same |= number == before && size == self.before;
            if number >= self.next {
                next = number;
                if size > 0 {
                    break;
                }
                next += 1;
            }
        }
        self.next = next.max(self.next + 1);
        // The chunk read last was emptied afterwards: this reader fell behind.
        Ok((!same).then(|| b"\nkatkit: output is omitted here: it was printed faster than read\n".to_vec()))
    }

    /// The last `lines` lines of the log as a terminal shows them, read from its last chunks. Long lines are shortened.
    pub async fn last_lines(
        blobs: &dyn Blobs,
        replica: &BlobKey,
        lines: usize,
    ) -> Result<Vec<String>, BlobError> {
        let chunks = blobs.list(&replica.log(), None).await?;
        let mut text = Vec::new();
        for chunk in chunks.iter().rev().filter(|chunk| chunk.size > 0) {
            let mut bytes = blobs.get_within(&chunk.key, LARGEST).await?.unwrap_or_default();
            bytes.append(&mut text);
            text = bytes;
            // In a log without line breaks, the start of the last line is not worth reading.
            if text.len() >= MOST || text.split(|byte| *byte == b'\n').count() > lines + 1 {
                break;
            }
        }
        let text = String::from_utf8_lossy(&text);
        let mut last: Vec<_> = text.lines().rev().take(lines).map(|line| as_shown(line, LONGEST)).collect();
        last.reverse();
        Ok(last)
    }
}

/// The number of a chunk. Phase code may have put other files beside them.
fn number(key: &BlobKey) -> Option<u32> {
    let (_, name) = key.as_str().rsplit_once('/')?;
    (name.len() == 6).then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::MemoryBlobs;

    async fn log(chunks: &[&str]) -> (MemoryBlobs, BlobKey) {
        let (blobs, replica) = (MemoryBlobs::default(), BlobKey::new("replica-0").unwrap());
        for (number, chunk) in (1..).zip(chunks) {
            blobs.put(&replica.log_chunk(number), chunk.as_bytes()).await.unwrap();
        }
        (blobs, replica)
    }

    async fn rest(reader: &mut LogReader, blobs: &MemoryBlobs) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let more = reader.more(blobs).await.unwrap();
            if more.is_empty() {
                return all;
            }
            all.push(String::from_utf8(more).unwrap());
        }
    }

    #[tokio::test]
    async fn emptied_chunks_are_skipped() {
        let (blobs, replica) = log(&["head", "left out", "", "", "tail"]).await;
        blobs.put(&replica.log().join("other").unwrap(), b"of the code").await.unwrap();
        let mut reader = LogReader::new(replica.clone());
        assert_eq!(rest(&mut reader, &blobs).await, ["head", "left out", "tail"]);
        assert_eq!(reader.position(), 5);
        blobs.put(&replica.log_chunk(6), b"more").await.unwrap();
        assert_eq!(rest(&mut reader, &blobs).await, ["more"]);
        let (blobs, replica) = log(&["", "", ""]).await;
        let mut reader = LogReader::new(replica);
        assert_eq!(rest(&mut reader, &blobs).await, Vec::<String>::new());
        assert_eq!(reader.position(), 3);
    }

    #[tokio::test]
    async fn a_reader_that_falls_behind_gets_a_note_about_omitted_output() {
        let (blobs, replica) = log(&["head", "second", "third"]).await;
        let mut reader = LogReader::new(replica.clone());
        assert_eq!(rest(&mut reader, &blobs).await, ["head", "second", "third"]);
        for (number, text) in [(2, "left out"), (3, ""), (4, ""), (5, "fifth")] {
            blobs.put(&replica.log_chunk(number), text.as_bytes()).await.unwrap();
        }
        let read = rest(&mut reader, &blobs).await;
        assert_eq!(read, ["\nkatkit: output is omitted here: it was printed faster than read\n", "fifth"]);
    }

    #[tokio::test]
    async fn the_last_lines_are_what_a_terminal_shows() {
        let (blobs, replica) =
            log(&["one\nlayer: 1 of 2 MB\r", "", "layer: 2 of 2 MB\rdenied: no\x1b[K\ntwo\r\n"]).await;
        let lines = LogReader::last_lines(&blobs, &replica, 3).await.unwrap();
        assert_eq!(lines, ["one", "denied: no", "two"]);
        let (blobs, replica) = log(&[&"x".repeat(2 * LONGEST)]).await;
        let lines = LogReader::last_lines(&blobs, &replica, 3).await.unwrap();
        assert_eq!(lines, [format!("{}…", "x".repeat(LONGEST))]);
    }
}
