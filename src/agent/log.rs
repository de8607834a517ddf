//! The log of a replica: what its code prints, masked, in numbered chunks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::blobs::{BlobError, BlobKey, Blobs};

use super::mask::Mask;

/// A chunk is written when it has this many bytes …
const CHUNK: usize = 256 * 1024;
/// … or when its first byte is this old, so that who follows the log sees it within half a second.
const AGE: Duration = Duration::from_millis(200);
/// How much is kept in memory while the store cannot take it. What comes after that is lost.
const BACKLOG: usize = 1024 * 1024;
/// How long after a failed write the next is tried.
const PAUSE: Duration = Duration::from_secs(1);
/// How much of a log is kept: 256 MiB. What comes after that is read and dropped, so that the code is not held up.
pub const LIMIT: u64 = 256 * 1024 * 1024;
/// The highest number of a chunk: their names have six digits, and sort only as long as they do.
const LAST: u32 = 999_999;

/// Writes the log.
#[derive(Debug)]
pub struct Log {
    blobs: Arc<dyn Blobs>,
    replica: BlobKey,
    mask: Mask,
    /// Masked, and not written yet.
    pending: Vec<u8>,
    /// When `pending` is to be written.
    due: Option<Instant>,
    chunks: u32,
    /// Bytes that were taken into the log.
    taken: u64,
    limit: u64,
    /// Bytes beyond the limit.
    dropped: u64,
    /// Bytes that the store could not take, and that the log does not say yet are missing.
    lost: u64,
    /// What kept the store from taking them.
    why_lost: Option<String>,
    /// Why the last write failed; `None` if it did not.
    trouble: Option<BlobError>,
}

impl Log {
    /// A log in `blobs` under a replica's key.
    pub fn new(blobs: Arc<dyn Blobs>, replica: BlobKey, mask: Mask) -> Self {
        Self {
            blobs,
            replica,
            mask,
            pending: Vec::new(),
            due: None,
            chunks: 0,
            taken: 0,
            limit: LIMIT,
            dropped: 0,
            lost: 0,
            why_lost: None,
            trouble: None,
        }
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> u32 {
        self.chunks
    }

    /// When [`Log::flush`] is to be called, if anything waits.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A text as it may be shown: with secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.mask.text(text)
    }

    /// Takes what the code printed.
    pub async fn write(&mut self, bytes: &[u8]) {
        if self.taken >= self.limit || self.chunks >= LAST - 1 {
            self.dropped += bytes.len() as u64;
            return;
        }
        self.taken += bytes.len() as u64;
        let before = self.pending.len();
        self.mask.feed(bytes, &mut self.pending);
        if self.pending.len() > BACKLOG {
            self.lost += (self.pending.len() - BACKLOG) as u64;
            self.pending.truncate(BACKLOG);
            self.why_lost = self.trouble.as_ref().map(|error| describe(error)).or(self.why_lost.take());
        }
        if self.pending.len() > before && self.due.is_none() {
            self.due = Some(Instant::now() + AGE);
        }
        // While the store is in trouble, it is left alone until the next try is due.
        if self.pending.len() >= CHUNK && self.trouble.is_none() {
            self.put().await;
        }
    }

    /// Says something on katkit's own behalf, on a line of its own.
    pub async fn note(&mut self, text: &str) {
        self.mask.finish(&mut self.pending);
        let line_begins = self.pending.last().map_or(self.chunks == 0, |byte| *byte == b'\n');
        let line = format!("{}katkit: {text}\n", if line_begins { "" } else { "\n" });
        self.mask.feed(line.as_bytes(), &mut self.pending);
        self.mask.finish(&mut self.pending);
        self.due = self.due.or_else(|| Some(Instant::now() + AGE));
        if self.pending.len() >= CHUNK && self.trouble.is_none() {
            self.put().await;
        }
    }

    /// Writes what waits, if it is due.
    pub async fn flush(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.put().await;
        }
    }

    /// Writes the rest. If any output was lost, says why.
    pub async fn finish(&mut self) -> Result<(), String> {
        self.mask.finish(&mut self.pending);
        if self.dropped > 0 {
            let (limit, dropped) = (self.limit >> 20, self.dropped);
            self.note(&format!("the log ends here: {dropped} bytes beyond {limit} MiB were dropped")).await;
        }
        self.put().await;
        match self.trouble.as_ref().map(|error| describe(error)).or(self.why_lost.take()) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    async fn put(&mut self) {
        loop {
            if self.pending.is_empty() {
                let lost = std::mem::take(&mut self.lost);
                if lost == 0 {
                    break;
                }
                let line =
                    format!("\nkatkit: {lost} bytes of output are missing here: they could not be stored\n");
                self.pending.extend_from_slice(line.as_bytes());
            }
            let length = self.pending.len().min(CHUNK);
            let key = self.replica.log_chunk(self.chunks + 1);
            match self.blobs.put(&key, &self.pending[..length]).await {
                Ok(()) => {
                    self.chunks += 1;
                    self.pending.drain(..length);
                    self.trouble = None;
                }
                Err(error) => {
                    self.trouble = Some(error);
                    self.due = Some(Instant::now() + PAUSE);
                    return;
                }
            }
        }
        self.due = None;
    }
}

/// An error with its causes, as one sentence.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::MemoryBlobs;
    use crate::fleet::Secrets;

    async fn text(log: &Log) -> String {
        let mut text = Vec::new();
        for chunk in log.blobs.list(&log.replica.log(), None).await.unwrap() {
            text.extend(log.blobs.get(&chunk.key).await.unwrap().unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    fn log() -> Log {
        let mask = Mask::new(&Secrets([("TOKEN".to_owned(), "hunter22".to_owned())].into()));
        Log::new(Arc::new(MemoryBlobs::default()), BlobKey::new("replica-0").unwrap(), mask)
    }

    #[tokio::test]
    async fn what_comes_after_the_limit_is_dropped_and_said() {
        let mut log = log();
        log.limit = 4;
        log.write(b"some").await;
        log.write(b"more").await;
        log.finish().await.unwrap();
        assert_eq!(text(&log).await, "some\nkatkit: the log ends here: 4 bytes beyond 0 MiB were dropped\n");
    }

    #[tokio::test]
    async fn a_large_output_is_cut_into_chunks_at_once_and_a_small_one_when_it_is_due() {
        let mut log = log();
        log.write(&vec![b'x'; CHUNK]).await;
        assert_eq!((log.chunks(), log.due()), (1, None));
        log.write(b"y").await;
        log.flush().await;
        assert_eq!(log.chunks(), 1);
        tokio::time::sleep_until(log.due().unwrap()).await;
        log.flush().await;
        assert_eq!((log.chunks(), log.due()), (2, None));
    }

    #[tokio::test]
    async fn a_note_is_a_line_of_its_own_and_masked() {
        let mut log = log();
        log.note("first").await;
        log.write(b"no line end").await;
        log.note("about hunter22").await;
        log.finish().await.unwrap();
        assert_eq!(text(&log).await, "katkit: first\nno line end\nkatkit: about ***\n");
    }
}
