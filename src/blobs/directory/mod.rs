//! A store in a local directory: a blob is a file whose path is its key.
//!
//! A blob is written to a temporary file in `.temporary` and then renamed, which is atomic, so a dying process never
//! leaves a partial blob under a key. [`DirectoryBlobs::sweep_temporary`] removes what it leaves in `.temporary`.
//!
//! Blobs survive the death of any process, but are not synced to disk: after a power loss the latest ones may be
//! missing or empty. No decision depends on them: the outcome of an attempt is in the state, which is synced, and a
//! phase without a status counts as lost and is retried. A pack is compared with the size in its marker and created
//! again if they differ.
//!
//! Phase code can write here. So symbolic links below the root are never followed, neither for reading nor for writing,
//! and only plain files with valid keys are blobs. Phase code also decides how large a blob is, so readers that keep
//! one in memory set a limit.
//!
//! Small blobs are read and written on the calling thread: that takes about ten system calls that end in the page
//! cache, a few microseconds, less than handing the work to another thread. Whole files and listings run on other
//! threads.

mod listing;
mod temporary;
mod tree;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{BlobError, BlobKey, Blobs, Listed, MOST, url};
use temporary::Temporary;

/// A store in a local directory.
#[derive(Clone, Debug)]
pub struct DirectoryBlobs {
    root: Arc<Path>,
    /// Whether to create a missing root directory.
    begins: bool,
}

/// What to do if the blob already exists.
#[derive(Clone, Copy)]
enum Taken {
    Replace,
    Refuse,
}

impl DirectoryBlobs {
    /// The store in `path`, which is created with the first blob.
    pub fn new(path: PathBuf) -> Self {
        // Fails only for an empty path or without a working directory; every later call then reports the problem.
        let absolute = std::path::absolute(&path).unwrap_or(path);
        // Without a trailing `/`, so that one directory has one URL.
        Self { root: absolute.components().collect::<PathBuf>().into(), begins: true }
    }

    /// The existing store in `path`.
    pub fn begun(path: PathBuf) -> Self {
        Self { begins: false, ..Self::new(path) }
    }

    /// Removes temporary files of dead writers that were not modified for `older_than`. Returns their number. A writer
    /// that was merely slow fails with an error; blobs are never affected.
    pub fn sweep_temporary(&self, older_than: Duration) -> Result<usize, BlobError> {
        temporary::sweep(&self.root, older_than).map_err(|error| self.fault("", "removed", error))
    }

    /// Number of files that [`DirectoryBlobs::sweep_temporary`] would remove.
    pub fn abandoned_temporary(&self, older_than: Duration) -> Result<usize, BlobError> {
        temporary::abandoned(&self.root, older_than).map_err(|error| self.fault("", "listed", error))
    }

    fn store(
        &self,
        key: &BlobKey,
        taken: Taken,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), BlobError> {
        let stored = self.is_there().and_then(|()| Temporary::new(&self.root)).and_then(|mut temporary| {
            fill(temporary.file())?;
            tree::with_parent(&self.root, key, true, |parent, name| match taken {
                Taken::Replace => temporary.rename(parent, name),
                Taken::Refuse => temporary.link(parent, name),
            })
        });
        match stored {
            Ok(true) => Ok(()),
            Ok(false) => Err(BlobError::Exists { key: key.to_string(), place: self.place() }),
            Err(error) => Err(self.fault(key.as_str(), "written", error)),
        }
    }

    /// Fails if an existing store is gone, for example unmounted or renamed, so that it is not created again in its
    /// place.
    fn is_there(&self) -> io::Result<()> {
        if self.begins || self.root.is_dir() {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::NotFound, "the directory no longer exists"))
    }

    fn open(&self, key: &BlobKey) -> Result<Option<File>, BlobError> {
        match tree::with_parent(&self.root, key, false, tree::open_blob) {
            Ok(file) => Ok(file),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) if tree::is_link(&error) => {
                let (key, place) = (key.to_string(), self.place());
                Err(BlobError::NotABlob { key, place, what: error.to_string() })
            }
            Err(error) => Err(self.fault(key.as_str(), "read", error)),
        }
    }

    fn copy_in(&self, key: &BlobKey, from: &Path) -> Result<(), BlobError> {
        let mut source =
            File::open(from).map_err(|error| self.fault(key.as_str(), "written", of_file(from, &error)))?;
        self.store(key, Taken::Replace, |file| io::copy(&mut source, file).map(drop))
    }

    fn copy_out(&self, key: &BlobKey, to: &Path) -> Result<(), BlobError> {
        let missing = || BlobError::Missing { key: key.to_string(), place: self.place() };
        let mut blob = self.open(key)?.ok_or_else(missing)?;
        let fault = |source| BlobError::File { path: to.to_owned(), source };
        let mut file = File::create_new(to).map_err(fault)?;
        io::copy(&mut blob, &mut file).map(drop).map_err(|error| {
            // A partial file is useless to the caller. The copy error matters more than a failed removal.
            let _ = std::fs::remove_file(to);
            fault(error)
        })
    }

    /// Runs work on another thread that could block this one for too long.
    async fn elsewhere<T: Send + 'static>(
        &self,
        key: &BlobKey,
        action: &'static str,
        work: impl FnOnce(&Self) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => Err(self.fault(key.as_str(), action, io::Error::other(cancelled))),
            },
        }
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn fault(&self, key: &str, action: &'static str, error: io::Error) -> BlobError {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::Full { place: self.place() },
            _ => {
                let source = Box::new(error);
                BlobError::Unavailable { key: key.to_owned(), place: self.place(), action, source }
            }
        }
    }
}

/// Adds the path of a file outside the store to an error.
fn of_file(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

#[async_trait]
impl Blobs for DirectoryBlobs {
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.store(key, Taken::Replace, |file| file.write_all(bytes))
    }

    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.store(key, Taken::Refuse, |file| file.write_all(bytes))
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let (to, from) = (key.clone(), file.to_owned());
        self.elsewhere(key, "written", move |store| store.copy_in(&to, &from)).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError> {
        self.get_within(key, MOST).await
    }

    async fn get_within(&self, key: &BlobKey, most: u64) -> Result<Option<Vec<u8>>, BlobError> {
        let Some(file) = self.open(key)? else { return Ok(None) };
        let fault = |error| self.fault(key.as_str(), "read", error);
        let mut bytes = Vec::new();
        // The size is not trusted: the file may grow while it is read.
        if file.metadata().map_err(fault)?.len() <= most {
            file.take(most + 1).read_to_end(&mut bytes).map_err(fault)?;
            if bytes.len() as u64 <= most {
                return Ok(Some(bytes));
            }
        }
        Err(BlobError::TooLarge { key: key.to_string(), place: self.place(), most })
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let metadata = self.open(key)?.map(|file| file.metadata()).transpose();
        let metadata = metadata.map_err(|error| self.fault(key.as_str(), "read", error))?;
        Ok(metadata.map(|metadata| metadata.len()))
    }

    fn may_be_cut(&self) -> bool {
        true
    }

    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let (from, to) = (key.clone(), file.to_owned());
        self.elsewhere(key, "read", move |store| store.copy_out(&from, &to)).await
    }

    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError> {
        let (under, after) = (prefix.clone(), after.cloned());
        self.elsewhere(prefix, "listed", move |store| {
            listing::list(&store.root, &under, after.as_ref())
                .map_err(|error| store.fault(under.as_str(), "listed", error))
        })
        .await
    }

    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        tree::remove(&self.root, key).map_err(|error| self.fault(key.as_str(), "removed", error))
    }

    fn url(&self) -> String {
        url::of_path(&self.root)
    }
}
