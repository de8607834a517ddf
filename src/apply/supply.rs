//! Brings commits into the blob store: each packed once, for all the phases that will check it out.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::ApplyError;
use crate::blobs::{BlobError, BlobKey, Blobs, PackMarker};
use crate::domain::{CommitSha, Source};
use crate::git::{GitError, Repositories};
use crate::liveness;

/// A repository's URL, a commit of it, and how many commits of history.
type Commit = (String, CommitSha, u32);

/// Packs commits, at most once per process and, where the blob store keeps them, once for all.
#[derive(Debug)]
pub struct Supply {
    git: Arc<dyn Repositories>,
    blobs: Arc<dyn Blobs>,
    scratch: PathBuf,
    supplied: Mutex<BTreeMap<Commit, Arc<Mutex<Option<Supplied>>>>>,
}

/// A pack that was seen whole in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Supplied {
    key: BlobKey,
    marker: PackMarker,
}

impl Supply {
    /// Packs with `git` into `blobs`, with temporary files in `scratch`.
    pub fn new(git: Arc<dyn Repositories>, blobs: Arc<dyn Blobs>, scratch: PathBuf) -> Self {
        Self { git, blobs, scratch, supplied: Mutex::default() }
    }

    /// Where an agent finds the commit with `depth` commits of history.
    pub(super) async fn source(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Source, ApplyError> {
        let Supplied { key, marker } = self.supplied(url, sha, depth).await?;
        // Tags are not part of the pack, which is cached: a commit may get a tag long after it was packed.
        let tags = self.git.tags(url, sha, depth).await.unwrap_or_else(|error| {
            tracing::warn!(%sha, %error, "the phase gets no tags");
            Vec::new()
        });
        Ok(Source::Pack { key: key.as_str().to_owned(), shallow: marker.shallow, tags })
    }

    /// The commit's pack, made if the blob store lacks it.
    async fn supplied(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Supplied, ApplyError> {
        let cell = {
            let mut supplied = self.supplied.lock().await;
            Arc::clone(supplied.entry((url.to_owned(), sha.clone(), depth)).or_default())
        };
        // A phase of before may have removed it. All that ask at once do so beside each other, and not in a queue.
        let remembered = cell.lock().await.clone();
        if let Some(supplied) = &remembered
            && self.is_whole(supplied).await?
        {
            return Ok(supplied.clone());
        }
        let mut cell = cell.lock().await;
        let supplied = match &*cell {
            // Another saw to it meanwhile.
            Some(supplied) if remembered.as_ref() != Some(supplied) => supplied.clone(),
            _ => self.supply(url, sha, depth).await?,
        };
        Ok(cell.insert(supplied).clone())
    }

    /// Whether the pack is there, and as large as it was when it was complete: it is older than its marker, so where blobs
    /// expire it may have gone before it, and after a loss of power it may be cut.
    async fn is_whole(&self, supplied: &Supplied) -> Result<bool, ApplyError> {
        match self.blobs.size(&supplied.key).await {
            Ok(size) => Ok(size.is_some_and(|size| supplied.marker.is_whole(size))),
            Err(BlobError::NotABlob { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn supply(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Supplied, ApplyError> {
        let key = BlobKey::pack(&repository_key(url), sha, depth)?;
        if let Some(marker) = PackMarker::read(&*self.blobs, &key).await? {
            let supplied = Supplied { key: key.clone(), marker };
            if self.is_whole(&supplied).await? {
                return Ok(supplied);
            }
        }
        self.git.ensure(url, sha).await?;
        let scratch = |error| GitError::io("written", &self.scratch, error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.scratch).map_err(scratch)?;
        let directory =
            tempfile::Builder::new().prefix(&liveness::mark()).tempdir_in(&self.scratch).map_err(scratch)?;
        let packed = self.git.pack(url, sha, depth, directory.path()).await?;
        let size = std::fs::metadata(&packed.pack).map_err(scratch)?.len();
        self.blobs.put_file(&key, &packed.pack).await?;
        let marker = PackMarker { shallow: packed.shallow, pack: Some(size) };
        let text = serde_json::to_vec(&marker).unwrap_or_default();
        self.blobs.put(&key.pack_marker(), &text).await?;
        Ok(Supplied { key, marker })
    }
}

/// What dead processes left in the directory for temporary files.
pub fn abandoned_scratch(scratch: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(scratch).into_iter().flatten().flatten();
    let left = entries.filter(|entry| liveness::is_abandoned(&entry.file_name().to_string_lossy()));
    left.map(|entry| entry.path()).collect()
}

/// Removes it.
pub fn remove_abandoned_scratch(scratch: &Path) {
    for path in abandoned_scratch(scratch) {
        // What cannot be removed now is tried again next time.
        let _ = std::fs::remove_dir_all(path);
    }
}

/// A repository's part of a blob key: its name for people, and a digest of its URL so that no two share one.
fn repository_key(url: &str) -> String {
    let name = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let name: String = name
        .trim_end_matches(".git")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .take(40)
        .collect();
    let digest: String = Sha256::digest(url)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_one_name_have_different_keys() {
        let (a, b) = (repository_key("https://x/acme/shop.git"), repository_key("https://y/acme/shop.git"));
        assert!(a.starts_with("shop-") && b.starts_with("shop-"));
        assert_ne!(a, b);
        assert!(BlobKey::new(repository_key("../..")).is_ok());
    }
}
