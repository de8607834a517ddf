//! Where packs, logs, status files and artifacts are kept.
//!
//! A blob appears whole or not at all: a reader never sees half of one, whatever dies while it is written. Keys are
//! the paths of `layout`, so that everything about an attempt lies under one prefix.
//!
//! A store has a URL, from which another process opens it: `file://` and an absolute, percent-encoded path, or `s3://`
//! with bucket and prefix. The place of an attempt in a store, its `LOG_PATH`, is that URL with the attempt's key behind
//! it; see `log_path`.

mod directory;
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

pub use directory::DirectoryBlobs;
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

/// The most that [`Blobs::get`] reads into memory, in bytes. What katkit writes is far smaller.
const MOST: u64 = 64 * 1024 * 1024;

/// The name of a blob: segments joined by `/`, as [`BlobKey::new`] allows them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

/// Why the store did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Not a key.
    #[error("`{0}` is not a blob key")]
    Key(String),
    /// Not the URL of a store, or of a place in one.
    #[error("`{url}` does not name a blob store: {what}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nothing is stored under the key.
    #[error("there is no `{key}` in {place}")]
    Missing {
        /// The key.
        key: String,
        /// The store.
        place: String,
    },
    /// `create` found the key taken.
    #[error("`{key}` exists already in {place}")]
    Exists {
        /// The key.
        key: String,
        /// The store.
        place: String,
    },
    /// What has the name of a blob is something that no store of blobs makes.
    #[error("`{key}` in {place} is not a blob: {what}")]
    NotABlob {
        /// The key.
        key: String,
        /// The store.
        place: String,
        /// What it is.
        what: String,
    },
    /// More than may be read into memory.
    #[error("`{key}` in {place} is larger than {most} bytes")]
    TooLarge {
        /// The key.
        key: String,
        /// The store.
        place: String,
        /// How much may be.
        most: u64,
    },
    /// There is no such store.
    #[error("there is no {place}")]
    NoStore {
        /// The store.
        place: String,
    },
    /// The store has no room left.
    #[error("{place} is full")]
    Full {
        /// The store.
        place: String,
    },
    /// A file outside of the store, into which a blob was to be copied, cannot be written.
    #[error("{path} could not be written", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be reached, read or written.
    #[error("`{key}` could not be {action} in {place}")]
    Unavailable {
        /// The key, or prefix.
        key: String,
        /// The store.
        place: String,
        /// `read`, `written`, `listed`, `removed`.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BlobError {
    /// Whether the same call may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        #[cfg(feature = "aws")]
        if let Self::Unavailable { source, .. } = self {
            return source.downcast_ref().is_some_and(crate::aws::AwsError::is_retryable);
        }
        false
    }

    /// What a person can do about it.
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
        let remedy = match io {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => "make room there",
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "let yourself write there",
            Kind::NotADirectory | Kind::AlreadyExists => {
                "move away what stands in the place of that directory"
            }
            _ => return None,
        };
        Some(format!("{remedy}, or name another place as `blobs.url` in the manifest"))
    }
}

/// What a listing tells of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: BlobKey,
    /// Bytes.
    pub size: u64,
    /// When it was stored last, as far as the store tells.
    pub modified: Option<Timestamp>,
}

/// A store of blobs.
///
/// `put` and `create` are atomic. After one returned, every `get` and `list`, of this process or another, sees it.
#[async_trait]
pub trait Blobs: fmt::Debug + Send + Sync {
    /// Stores `bytes`, replacing what was there.
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError>;

    /// Stores `bytes` unless the key is taken ([`BlobError::Exists`]). Of several at once, one wins.
    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError>;

    /// Stores a file's content without holding it in memory, replacing what was there.
    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError>;

    /// What is stored; `None` if nothing is. Meant for what katkit itself writes: [`BlobError::TooLarge`] if it is far more.
    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError>;

    /// What is stored, if it has no more than `most` bytes; else [`BlobError::TooLarge`], and no more than that was read.
    async fn get_within(&self, key: &BlobKey, most: u64) -> Result<Option<Vec<u8>>, BlobError> {
        match self.get(key).await? {
            Some(bytes) if bytes.len() as u64 > most => {
                Err(BlobError::TooLarge { key: key.to_string(), place: self.url(), most })
            }
            got => Ok(got),
        }
    }

    /// How many bytes are stored, at the cost of one question whatever that is; `None` if nothing is. Where a store does
    /// not say how, it is read.
    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        Ok(self.get(key).await?.map(|bytes| bytes.len() as u64))
    }

    /// Whether something is stored, at the cost of one question.
    async fn exists(&self, key: &BlobKey) -> Result<bool, BlobError> {
        Ok(self.size(key).await?.is_some())
    }

    /// Whether a blob may be found shorter than it was stored: after a loss of power, say.
    fn may_be_cut(&self) -> bool {
        false
    }

    /// Writes what is stored to a new file without holding it in memory; [`BlobError::Missing`] if nothing is,
    /// [`BlobError::File`] if the file is what fails.
    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError>;

    /// The keys under a prefix that come after `after`, ascending. A prefix ends at a segment's end.
    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError>;

    /// Removes a blob. Harmless if it is gone.
    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// A URL from which another process opens the same store (`file:///…`, `s3://…`); what `LOG_PATH` begins with.
    fn url(&self) -> String;

    /// A URL from which anybody can read a blob for a while, whether it exists or not; `None` where there is no such
    /// thing.
    async fn link(&self, _key: &BlobKey, _valid: Duration) -> Result<Option<String>, BlobError> {
        Ok(None)
    }
}
