//! A store in memory, for tests. Like a directory, it refuses a blob under another blob's key. Its clock counts writes,
//! one second each, starting at the epoch.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{BlobError, BlobKey, Blobs, Listed};

/// A store that is lost with the process. Each call yields to other tasks before it acts.
#[derive(Default)]
pub struct MemoryBlobs {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    blobs: BTreeMap<BlobKey, Blob>,
    writes: i64,
}

struct Blob {
    bytes: Arc<[u8]>,
    modified: Option<Timestamp>,
}

impl Content {
    fn insert(&mut self, key: &BlobKey, bytes: &[u8]) {
        self.writes += 1;
        let modified = Timestamp::from_second(self.writes).ok();
        self.blobs.insert(key.clone(), Blob { bytes: bytes.into(), modified });
    }
}

impl MemoryBlobs {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    async fn content(&self) -> MutexGuard<'_, Content> {
        tokio::task::yield_now().await;
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, key: &BlobKey, action: &'static str, source: io::Error) -> BlobError {
        BlobError::Unavailable { key: key.to_string(), place: self.url(), action, source: Box::new(source) }
    }

    /// Refuses a blob under another one: in a directory, it would have to be a file and a directory at once.
    fn check_place(&self, content: &Content, key: &BlobKey) -> Result<(), BlobError> {
        let mut parents =
            key.as_str().match_indices('/').map(|(end, _)| BlobKey(key.as_str()[..end].to_owned()));
        if parents.any(|parent| content.blobs.contains_key(&parent)) {
            return Err(self.fault(key, "written", io::ErrorKind::NotADirectory.into()));
        }
        if under(content, key, None).next().is_some() {
            return Err(self.fault(key, "written", io::ErrorKind::IsADirectory.into()));
        }
        Ok(())
    }
}

fn under<'a>(
    content: &'a Content,
    prefix: &BlobKey,
    after: Option<&BlobKey>,
) -> impl Iterator<Item = (&'a BlobKey, &'a Blob)> {
    let prefix = format!("{prefix}/");
    let first = BlobKey(prefix.clone());
    let start = after.filter(|after| **after > first).unwrap_or(&first).clone();
    content
        .blobs
        .range((Bound::Excluded(start), Bound::Unbounded))
        .take_while(move |(key, _)| key.as_str().starts_with(&prefix))
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        let mut content = self.content().await;
        self.check_place(&content, key)?;
        content.insert(key, bytes);
        Ok(())
    }

    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        let mut content = self.content().await;
        if content.blobs.contains_key(key) {
            return Err(BlobError::Exists { key: key.to_string(), place: self.url() });
        }
        self.check_place(&content, key)?;
        content.insert(key, bytes);
        Ok(())
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let bytes = std::fs::read(file).map_err(|error| self.fault(key, "written", error))?;
        self.put(key, &bytes).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError> {
        Ok(self.content().await.blobs.get(key).map(|blob| blob.bytes.to_vec()))
    }

    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let bytes = self.get(key).await?;
        let bytes = bytes.ok_or_else(|| BlobError::Missing { key: key.to_string(), place: self.url() })?;
        let written =
            std::fs::File::create_new(file).and_then(|mut file| io::Write::write_all(&mut file, &bytes));
        written.map_err(|source| BlobError::File { path: file.to_owned(), source })
    }

    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError> {
        let content = self.content().await;
        let listed = |(key, blob): (&BlobKey, &Blob)| Listed {
            key: key.clone(),
            size: blob.bytes.len() as u64,
            modified: blob.modified,
        };
        Ok(under(&content, prefix, after).map(listed).collect())
    }

    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.content().await.blobs.remove(key);
        Ok(())
    }

    fn url(&self) -> String {
        "memory:".to_owned()
    }
}

impl fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryBlobs")
    }
}
