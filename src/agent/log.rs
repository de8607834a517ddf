//! The log of a replica: the code's output, masked, in numbered chunks.
//!
//! Chunks are stored in the background: while the store is slow or unreachable, the code keeps printing and its output
//! is buffered.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::causes::in_one_line;

use super::backlog::{Backlog, Limits, Piece};
use super::backoff::Outage;
use super::mask::{Finder, Mask};
use super::window::Window;

/// A chunk is written when it has this many bytes …
const CHUNK: usize = 256 * 1024;
/// … or when its first byte is this old, so that anyone following the log sees it within half a second.
const AGE: Duration = Duration::from_millis(200);
/// How much output is buffered in memory while the store is slow. The rest waits in a file.
const BACKLOG: usize = 1024 * 1024;
/// The pause between a failed write and the next try.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a chunk being stored may block the code before its output goes to a file instead.
const HOLD: Duration = Duration::from_secs(2);
/// How often storing the rest is tried after an error that is not retryable. An unreachable store gets longer.
const TRIES: u32 = 5;
/// How much of a log is kept, a quarter of a GiB: its beginning, and its end, which tells why the code stopped.
const LIMITS: Limits = Limits { head: 128 * MIB, waiting: 64 * MIB, stored: 128 * MIB, left: 96 * MIB };
const MIB: u64 = 1024 * 1024;
/// The highest chunk number: the names have six digits, and more would break their sort order.
const LAST: u32 = 999_999;
/// How many of these are reserved for the backlog when the code ends: twice as many as full-size chunks need.
const SPARE: u32 = 2000;

/// Writes the log.
#[derive(Debug)]
pub struct Log {
    blobs: Arc<dyn Blobs>,
    replica: BlobKey,
    mask: Mask,
    /// Masked output that is not stored yet.
    pending: Backlog,
    /// The last byte that was ever in `pending`.
    last: Option<u8>,
    /// The chunk being stored.
    flight: Option<PendingChunk>,
    /// A chunk that could not be stored; the next to try.
    again: Option<Arc<Piece>>,
    /// When to write `pending`.
    due: Option<Instant>,
    chunks: Arc<AtomicU32>,
    /// The most chunks allowed for now.
    most: u32,
    /// The chunks after the log's beginning.
    window: Window,
    /// Bytes written so far, before masking.
    taken: u64,
    limits: Limits,
    /// Bytes that neither the store nor the file could take, not yet reported in the log.
    lost: u64,
    /// The error that lost them.
    why_lost: Option<String>,
    /// Why the last write failed; `None` if it did not.
    problem: Option<BlobError>,
}

/// A chunk that is being stored.
#[derive(Debug)]
struct PendingChunk {
    piece: Arc<Piece>,
    since: Instant,
    stored: JoinHandle<Result<(), BlobError>>,
}

impl Log {
    /// A log in `blobs` under a replica's key. Output that waits for the store overflows into `directory`.
    pub fn new(blobs: Arc<dyn Blobs>, replica: BlobKey, mask: Mask, directory: Option<PathBuf>) -> Self {
        Self::within(LIMITS, blobs, replica, mask, directory)
    }

    fn within(
        limits: Limits,
        blobs: Arc<dyn Blobs>,
        replica: BlobKey,
        mask: Mask,
        directory: Option<PathBuf>,
    ) -> Self {
        Self {
            window: Window::new(Arc::clone(&blobs), replica.clone(), limits),
            blobs,
            replica,
            mask,
            pending: Backlog::new(BACKLOG, limits, directory),
            last: None,
            flight: None,
            again: None,
            due: None,
            chunks: Arc::default(),
            most: LAST - SPARE,
            taken: 0,
            limits,
            lost: 0,
            why_lost: None,
            problem: None,
        }
    }

    /// The number of stored chunks.
    pub fn chunks(&self) -> u32 {
        self.chunks.load(Ordering::Relaxed)
    }

    /// The live counter of stored chunks.
    pub fn counter(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.chunks)
    }

    /// Whether anything waits, so that [`Log::progress`] must be called.
    pub fn waits(&self) -> bool {
        self.due.is_some() || self.flight.is_some()
    }

    /// Whether to block the code because it prints faster than a healthy store accepts. Once a log is longer than the
    /// part that is kept, the code is never blocked.
    pub fn is_full(&self) -> bool {
        if self.taken >= self.limits.head + self.limits.stored {
            return false;
        }
        let soon = self.flight.as_ref().is_some_and(|flight| flight.since.elapsed() < HOLD);
        soon && self.problem.is_none() && self.pending.len() >= BACKLOG as u64
    }

    /// The text with secrets masked, safe to show.
    pub fn masked(&self, text: &str) -> String {
        self.mask.text(text)
    }

    /// Finds the same secrets elsewhere, such as in files.
    pub fn finder(&self) -> Finder {
        self.mask.finder()
    }

    /// Adds output of the code.
    pub fn write(&mut self, bytes: &[u8]) {
        self.taken += bytes.len() as u64;
        let mut masked = Vec::with_capacity(bytes.len());
        self.mask.feed(bytes, &mut masked);
        self.push(&masked);
    }

    /// Adds a message from katkit itself, on its own line.
    pub fn note(&mut self, text: &str) {
        let mut masked = Vec::new();
        self.mask.finish(&mut masked);
        let last = masked.last().copied().or(self.last);
        let begin = if last.is_none_or(|byte| byte == b'\n') { "" } else { "\n" };
        self.mask.feed(format!("{begin}katkit: {text}\n").as_bytes(), &mut masked);
        self.mask.finish(&mut masked);
        self.push(&masked);
    }

    fn push(&mut self, masked: &[u8]) {
        let Some(last) = masked.last() else { return };
        self.last = Some(*last);
        if let Err((lost, error)) = self.pending.push(masked) {
            self.lose(lost, &error);
        }
        self.due = self.due.or_else(|| Some(Instant::now() + AGE));
        // After a failed write, wait until the next try is due.
        if self.pending.len() >= CHUNK as u64 && self.problem.is_none() {
            self.launch();
        }
    }

    fn lose(&mut self, bytes: u64, error: &std::io::Error) {
        self.lost += bytes;
        let store = self.problem.as_ref().map(|error| in_one_line(error)).unwrap_or_default();
        self.why_lost = Some(if store.is_empty() { error.to_string() } else { format!("{store}; {error}") });
    }

    /// Waits until a chunk is due or stored, and handles it. Dropping the future loses nothing.
    pub async fn progress(&mut self) {
        match (&mut self.flight, self.due) {
            (Some(flight), _) => {
                let held = flight.since + HOLD;
                let stored = if Instant::now() < held {
                    let Ok(stored) = timeout_at(held, &mut flight.stored).await else { return };
                    stored
                } else {
                    (&mut flight.stored).await
                };
                // The task can only have panicked: nothing aborts it.
                self.land(stored.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
            }
            (None, Some(due)) => {
                tokio::time::sleep_until(due).await;
                self.launch();
            }
            (None, None) => std::future::pending().await,
        }
    }

    /// Starts storing the next chunk, unless one is being stored.
    fn launch(&mut self) {
        if self.flight.is_some() {
            return;
        }
        self.due = None;
        if self.chunks() >= self.most || self.is_stored() {
            return;
        }
        let piece = self.again.take().unwrap_or_else(|| {
            let (piece, left) = self.pending.take(CHUNK);
            if let Err((lost, error)) = left {
                self.lose(lost, &error);
            }
            Arc::new(piece)
        });
        let (blobs, key) = (Arc::clone(&self.blobs), self.replica.log_chunk(self.chunks() + 1));
        let bytes = Arc::clone(&piece);
        let stored = tokio::spawn(async move { blobs.put(&key, &bytes.bytes).await });
        self.flight = Some(PendingChunk { piece, since: Instant::now(), stored });
    }

    /// Whether nothing waits besides the chunk being stored.
    fn is_stored(&self) -> bool {
        self.again.is_none() && self.pending.is_empty()
    }

    /// Handles the result of storing a chunk.
    fn land(&mut self, stored: Result<(), BlobError>) {
        let Some(PendingChunk { piece, .. }) = self.flight.take() else { return };
        match stored {
            Ok(()) => {
                let number = self.chunks() + 1;
                self.chunks.store(number, Ordering::Relaxed);
                self.problem = None;
                self.window.stored(number, &piece);
                if self.pending.is_empty() && self.lost > 0 {
                    let lost = std::mem::take(&mut self.lost);
                    let line = format!(
                        "\nkatkit: {lost} bytes of output are missing here: they could not be stored\n"
                    );
                    self.push(line.as_bytes());
                }
                if self.pending.len() >= CHUNK as u64 {
                    self.launch();
                } else if !self.pending.is_empty() {
                    self.due = self.due.or_else(|| Some(Instant::now() + AGE));
                }
            }
            Err(error) => {
                self.again = Some(piece);
                self.problem = Some(error);
                self.due = Some(Instant::now() + PAUSE);
            }
        }
    }

    /// Stores the rest. The error says why output was lost.
    pub async fn finish(&mut self, outage: &mut Outage) -> Result<(), String> {
        let mut rest = Vec::new();
        self.mask.finish(&mut rest);
        self.push(&rest);
        self.most = LAST;
        let mut tries = 0;
        // As with the status: a directory that is full or missing for a moment must not turn a success into a failure.
        self.launch();
        while let Some(flight) = &self.flight {
            let begun = flight.since;
            self.progress().await;
            if self.problem.is_none() && self.flight.is_none() {
                outage.is_over();
            }
            while self.flight.is_none() && !self.is_stored() && self.chunks() < self.most {
                match &self.problem {
                    None => self.launch(),
                    Some(error)
                        if outage.may_pass(error, begun) || !error.is_retryable() && tries < TRIES =>
                    {
                        tries += 1;
                        self.progress().await;
                    }
                    Some(_) => break,
                }
            }
        }
        self.window.finish().await;
        match self.problem.as_ref().map(|error| in_one_line(error)).or(self.why_lost.take()) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
