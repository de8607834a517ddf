//! Blob storage for packs, logs, status files and artifacts.
//!
//! A blob appears whole or not at all: readers never see a partial one, even if its writer dies. Keys are the paths of
//! `layout`, so that everything about an attempt shares one prefix.
//!
//! A store has a URL, with which another process can open it: `file://` and an absolute, percent-encoded path, or
//! `s3://` with bucket and prefix. The location of an attempt in a store, its `LOG_PATH`, is that URL followed by the
//! attempt's key; see `log_path`.

mod artifacts;
mod directory;
mod failed_replica;
mod layout;
mod log;
mod log_path;
mod memory;
mod pack_marker;
#[cfg(feature = "aws")]
mod s3;
mod screen;
mod status;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use artifacts::artifacts;
pub use directory::DirectoryBlobs;
pub use failed_replica::FailedReplica;
pub use log::{LogChunk, LogReader};
pub use log_path::{log_path, open_at};
pub use memory::MemoryBlobs;
pub use pack_marker::PackMarker;
#[cfg(feature = "aws")]
pub use s3::S3Blobs;
pub use screen::as_shown;
pub use status::StatusFile;
pub use url::{OpenStore, open, open_directory};

use crate::hints;

/// Upper limit in bytes of what [`Blobs::get`] reads into memory. Anything katkit writes is far smaller.
const MOST: u64 = 64 * 1024 * 1024;

/// The name of a blob: segments joined by `/`, validated by [`BlobKey::new`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The text is not a valid key.
    #[error("`{0}` is not a blob key")]
    Key(String),
    /// The text is not the URL of a store, or of a location in one.
    #[error("`{url}` does not name a blob store: {what}")]
    Url {
        /// The given URL.
        url: String,
        /// Why it is invalid.
        what: &'static str,
    },
    /// Nothing is stored under the key.
    #[error("there is no `{key}` in {place}")]
    Missing {
        /// Key of the blob.
        key: String,
        /// Location of the store.
        place: String,
    },
    /// The key is already in use.
    #[error("`{key}` already exists in {place}")]
    Exists {
        /// Key of the blob.
        key: String,
        /// Location of the store.
        place: String,
    },
    /// The key refers to something that no blob store creates.
    #[error("`{key}` in {place} is not a blob: {what}")]
    NotABlob {
        /// Key of the blob.
        key: String,
        /// Location of the store.
        place: String,
        /// Description of what was found.
        what: String,
    },
    /// The blob is too large to be read into memory.
    #[error("`{key}` in {place} is larger than {most} bytes")]
    TooLarge {
        /// Key of the blob.
        key: String,
        /// Location of the store.
        place: String,
        /// Size limit in bytes.
        most: u64,
    },
    /// The store does not exist.
    #[error("{place} does not exist")]
    NoStore {
        /// Location of the store.
        place: String,
    },
    /// The store is full.
    #[error("{place} is full")]
    Full {
        /// Location of the store.
        place: String,
    },
    /// The local target file of a download cannot be written.
    #[error("{path} could not be written", path = path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Underlying error.
        #[source]
        source: std::io::Error,
    },
    /// The store is unreachable, or cannot be read or written.
    #[error("`{key}` could not be {action} in {place}")]
    Unavailable {
        /// Key, or prefix of a listing.
        key: String,
        /// Location of the store.
        place: String,
        /// Failed action, such as `read`, `written`, `listed` or `removed`.
        action: &'static str,
        /// Underlying error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BlobError {
    /// Whether the same call may succeed later without intervention.
    pub fn is_retryable(&self) -> bool {
        #[cfg(feature = "aws")]
        if let Self::Unavailable { source, .. } = self {
            return source.downcast_ref().is_some_and(crate::aws::AwsError::is_retryable);
        }
        false
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        use std::io::ErrorKind as Kind;
        if let Some(hint) = hints::of(self) {
            return Some(hint);
        }
        let io = match self {
            Self::NoStore { .. } => return Some("`katkit bootstrap` creates the bucket".to_owned()),
            Self::Full { .. } => Kind::StorageFull,
            Self::Unavailable { source, .. } => source.downcast_ref::<std::io::Error>()?.kind(),
            Self::Key(_)
            | Self::Url { .. }
            | Self::Missing { .. }
            | Self::Exists { .. }
            | Self::File { .. }
            | Self::NotABlob { .. }
            | Self::TooLarge { .. } => return None,
        };
        let fix = match io {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => "make room there",
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "make it writable for this user",
            Kind::NotADirectory | Kind::AlreadyExists => {
                "rename or remove the file in place of that directory"
            }
            _ => return None,
        };
        Some(format!("{fix}, or set another `blobs.url` in the manifest"))
    }
}

/// A blob in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Key of the blob.
    pub key: BlobKey,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last write, if the store reports it.
    pub modified: Option<Timestamp>,
}

/// A store of blobs.
///
/// `put` and `create` are atomic. Once one has returned, every `get` and `list` sees the blob, in any process.
#[async_trait]
pub trait Blobs: fmt::Debug + Send + Sync {
    /// Stores `bytes`, replacing any existing blob.
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError>;

    /// Stores `bytes`, or fails with [`BlobError::Exists`] if the key is in use. Of several concurrent calls, one
    /// succeeds.
    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError>;

    /// Stores a file's content without holding it in memory, replacing what was there.
    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError>;

    /// Reads a blob; `None` if there is none. For data written by katkit itself: fails with [`BlobError::TooLarge`] if
    /// it is far larger.
    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError>;

    /// Reads a blob of at most `most` bytes. Fails with [`BlobError::TooLarge`] if it is larger, without reading the
    /// rest.
    async fn get_within(&self, key: &BlobKey, most: u64) -> Result<Option<Vec<u8>>, BlobError> {
        match self.get(key).await? {
            Some(bytes) if bytes.len() as u64 > most => {
                Err(BlobError::TooLarge { key: key.to_string(), place: self.url(), most })
            }
            got => Ok(got),
        }
    }

    /// The size of a blob in bytes; `None` if there is none. Takes one request, whatever the size; stores that do not
    /// report sizes read the blob.
    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        Ok(self.get(key).await?.map(|bytes| bytes.len() as u64))
    }

    /// Whether a blob exists. Takes one request.
    async fn exists(&self, key: &BlobKey) -> Result<bool, BlobError> {
        Ok(self.size(key).await?.is_some())
    }

    /// Whether a blob may turn out shorter than it was stored, for example after a power loss.
    fn may_be_cut(&self) -> bool {
        false
    }

    /// Writes a blob to a new file without holding it in memory. Fails with [`BlobError::Missing`] if there is none, or
    /// with [`BlobError::File`] if the file cannot be written.
    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError>;

    /// The blobs under a prefix whose keys come after `after`, ascending. A prefix consists of whole segments.
    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError>;

    /// Removes a blob. Does nothing if it is gone.
    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// A URL with which another process can open the same store (`file:///…`, `s3://…`); `LOG_PATH` begins with it.
    fn url(&self) -> String;

    /// A URL from which anyone can read the blob for the time `valid`, whether it exists or not; `None` if the store
    /// has no such URLs.
    async fn link(&self, _key: &BlobKey, _valid: Duration) -> Result<Option<String>, BlobError> {
        Ok(None)
    }
}
