//! A store in a directory of this machine: a blob is a file, its key the path.
//!
//! A blob is written to a file of its own in `.temporary` and then given its name, which is atomic, so that no death of
//! a process leaves half a blob under a key; what it leaves in `.temporary`, [`DirectoryBlobs::sweep_temporary`] removes.
//!
//! What was written survives the death of every process, but nothing is forced onto the disk: after a loss of power the
//! latest blobs may be missing or empty. Nothing that decides anything is lost by that: how an attempt ended stands in
//! the state, which is forced onto the disk, and a phase whose status is missing counts as lost and is tried again. A pack
//! is held against the size that its marker names, and made again where it differs.
//!
//! Code under test can write here. So no symbolic link below the root is ever followed, neither when reading nor when
//! writing, and what is not a plain file with the name of a key is no blob. It also decides how large a blob is: a reader
//! that keeps one in memory says how much it takes.
//!
//! Small blobs are read and written on the calling thread: these are some ten system calls that end in the page cache,
//! microseconds, less than it costs to have another thread do it. Whole files and listings are left to other threads.

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

/// See the module's text.
#[derive(Clone, Debug)]
pub struct DirectoryBlobs {
    root: Arc<Path>,
    /// Whether the root is made where there is none.
    begins: bool,
}

/// Whether a blob that is there already is replaced.
#[derive(Clone, Copy)]
enum Taken {
    Replace,
    Refuse,
}

impl DirectoryBlobs {
    /// The store in `path`, which comes into being with the first blob.
    pub fn new(path: PathBuf) -> Self {
        // Fails only for an empty path or without a working directory; then every call says what is wrong.
        let absolute = std::path::absolute(&path).unwrap_or(path);
        // Without a `/` at its end, so that one directory has one URL.
        Self { root: absolute.components().collect::<PathBuf>().into(), begins: true }
    }

    /// The store in `path`, which was begun before.
    pub fn begun(path: PathBuf) -> Self {
        Self { begins: false, ..Self::new(path) }
    }

    /// Removes what writers left behind that died while they wrote, if it was not touched for `older_than`. Returns how
    /// many files that were. A writer that was only slow fails with an error; no blob is ever harmed.
    pub fn sweep_temporary(&self, older_than: Duration) -> Result<usize, BlobError> {
        temporary::sweep(&self.root, older_than).map_err(|error| self.fault("", "removed", error))
    }

    /// How many files [`DirectoryBlobs::sweep_temporary`] would remove.
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

    /// A store that was there and is not, since it was unmounted or renamed, is waited for and not begun anew in its place.
    fn is_there(&self) -> io::Result<()> {
        if self.begins || self.root.is_dir() {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::NotFound, "there is no such directory any more"))
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
            // Half a file is of no use to the caller; that it cannot be removed says less than why it is half.
            let _ = std::fs::remove_file(to);
            fault(error)
        })
    }

    /// Has another thread do what may take longer than a task may keep its own.
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

/// Says which file outside of the store an error is about.
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
        // Its size is not trusted: it may grow while it is read.
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
