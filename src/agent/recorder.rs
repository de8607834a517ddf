//! A blob store for tests that records every write.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::blobs::{BlobError, BlobKey, Blobs, Listed, MemoryBlobs};

#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) now: MemoryBlobs,
    pub(super) puts: Mutex<Vec<(BlobKey, Vec<u8>)>>,
    count: watch::Sender<usize>,
    /// How long each write takes.
    delay: Option<fn(&[u8]) -> Duration>,
}

impl Recorder {
    pub(super) fn slow(delay: fn(&[u8]) -> Duration) -> Self {
        Self { delay: Some(delay), ..Self::default() }
    }

    /// Waits for `count` writes.
    pub(super) async fn puts(&self, count: usize) {
        self.count.subscribe().wait_for(|puts| *puts >= count).await.unwrap();
    }
}

#[async_trait]
impl Blobs for Recorder {
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay(bytes)).await;
        }
        self.puts.lock().unwrap().push((key.clone(), bytes.to_vec()));
        self.count.send_modify(|count| *count += 1);
        self.now.put(key, bytes).await
    }

    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.now.create(key, bytes).await
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.now.put_file(key, file).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError> {
        self.now.get(key).await
    }

    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.now.get_file(key, file).await
    }

    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError> {
        self.now.list(prefix, after).await
    }

    async fn remove(&self, _: &BlobKey) -> Result<(), BlobError> {
        panic!("a phase in a bucket may not remove anything")
    }

    fn url(&self) -> String {
        self.now.url()
    }
}
