//! The chunks of a long log after its beginning. When there are too many, the oldest are emptied.
//!
//! They are emptied, not removed: in a bucket, a phase may write but not delete. The first of them says how much is
//! missing; readers skip the others. Wherever an agent dies in between, the log stays readable from beginning to end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinHandle;

use crate::blobs::{BlobError, BlobKey, Blobs};

use super::backlog::{Limits, Piece, left_out};

/// The stored chunks of a log's tail.
#[derive(Debug)]
pub struct Window {
    blobs: Arc<dyn Blobs>,
    replica: BlobKey,
    limits: Limits,
    /// The number of the first chunk ever; 0 if there is none.
    first: u32,
    /// The number of the first chunk that is kept.
    oldest: u32,
    /// The kept chunks: the bytes of output that each stands for, and its length.
    kept: VecDeque<(u64, u64)>,
    /// The sum of their lengths.
    size: u64,
    /// Bytes of output missing before them.
    left_out: u64,
    /// The number of the first chunk that is not yet emptied.
    filled: Arc<AtomicU32>,
    emptying: Option<JoinHandle<Result<(), BlobError>>>,
}

impl Window {
    pub fn new(blobs: Arc<dyn Blobs>, replica: BlobKey, limits: Limits) -> Self {
        let (kept, filled) = (VecDeque::new(), Arc::new(AtomicU32::new(0)));
        Self {
            blobs,
            replica,
            limits,
            first: 0,
            oldest: 0,
            kept,
            size: 0,
            left_out: 0,
            filled,
            emptying: None,
        }
    }

    /// Adds a stored chunk, and starts emptying the oldest ones if there are too many.
    pub fn stored(&mut self, number: u32, piece: &Piece) {
        if !piece.is_tail {
            return;
        }
        if self.first == 0 {
            (self.first, self.oldest) = (number, number);
            self.filled.store(number + 1, Ordering::Relaxed);
        }
        let length = piece.bytes.len() as u64;
        self.kept.push_back((piece.output, length));
        self.size += length;
        if self.emptying.as_ref().is_none_or(JoinHandle::is_finished) {
            self.trim();
        }
    }

    /// Waits until the emptying is done. Failed chunks get one more try; leaving them full does no harm.
    pub async fn finish(&mut self) {
        let mut failed = false;
        while self.emptying.is_some() || self.trim() {
            let Some(emptying) = self.emptying.take() else { return };
            if let Ok(Err(error)) = emptying.await {
                tracing::warn!(error = %error, "old chunks of a long log could not be emptied");
                if std::mem::replace(&mut failed, true) {
                    return;
                }
                self.empty();
            }
        }
    }

    /// Starts emptying the oldest chunks if there are too many. Returns whether there were.
    fn trim(&mut self) -> bool {
        if self.size <= self.limits.stored {
            return false;
        }
        while self.size > self.limits.left
            && let Some((output, length)) = self.kept.pop_front()
        {
            self.left_out += output;
            self.size -= length;
            self.oldest += 1;
        }
        self.empty();
        true
    }

    fn empty(&mut self) {
        let (blobs, replica, filled) =
            (Arc::clone(&self.blobs), self.replica.clone(), Arc::clone(&self.filled));
        let (first, oldest, note) = (self.first, self.oldest, left_out(self.left_out));
        self.emptying = Some(tokio::spawn(async move {
            // The note goes first, so that no output is ever missing without notice.
            blobs.put(&replica.log_chunk(first), note.as_bytes()).await?;
            for number in filled.load(Ordering::Relaxed)..oldest {
                blobs.put(&replica.log_chunk(number), b"").await?;
                filled.store(number + 1, Ordering::Relaxed);
            }
            Ok(())
        }));
    }
}
