//! Reading the log of a replica while it grows, chunk by chunk.

use super::screen::as_shown;
use super::{BlobError, BlobKey, Blobs};

/// No more bytes than these, and a chunk, are read to find the last lines of a log.
const MOST: usize = 1024 * 1024;

/// The largest chunk that is read, in bytes: what an agent writes is a quarter of a MiB.
const LARGEST: u64 = 4 * 1024 * 1024;

/// No more characters than these are given of a line when the last lines are asked for.
const LONGEST: usize = 1000;

/// Reads a replica's log from its beginning, and what was added since at every further call.
#[derive(Debug)]
pub struct LogReader {
    replica: BlobKey,
    next: u32,
}

impl LogReader {
    /// Reads the log under a replica's key.
    pub fn new(replica: BlobKey) -> Self {
        Self { replica, next: 1 }
    }

    /// What was added since the last call; empty if nothing was. One chunk at a time keeps the memory bounded: call
    /// it until it is empty.
    pub async fn more(&mut self, blobs: &dyn Blobs) -> Result<Vec<u8>, BlobError> {
        let chunk = blobs.get_within(&self.replica.log_chunk(self.next), LARGEST).await?;
        if chunk.is_some() {
            self.next += 1;
        }
        Ok(chunk.unwrap_or_default())
    }

    /// The last `lines` lines of the log as a terminal shows them, from its last chunks, each cut where nobody reads on.
    pub async fn last_lines(
        blobs: &dyn Blobs,
        replica: &BlobKey,
        lines: usize,
    ) -> Result<Vec<String>, BlobError> {
        let chunks = blobs.list(&replica.log(), None).await?;
        let mut text = Vec::new();
        for chunk in chunks.iter().rev() {
            let mut bytes = blobs.get_within(&chunk.key, LARGEST).await?.unwrap_or_default();
            bytes.append(&mut text);
            text = bytes;
            // A log without line breaks has no last line that anybody would read to its beginning.
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
