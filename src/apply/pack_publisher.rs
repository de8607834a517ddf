//! Publishes commit packs: stores each commit once in the blob store, for all phases that check it out.

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

/// How many packs to remember. Beyond that, idle entries are dropped.
const MOST: usize = 1_000;

/// A repository's URL, a commit, and the number of commits of history.
type Commit = (String, CommitSha, u32);

/// Packs commits, at most once per executor, and once overall while the blob store keeps the pack.
#[derive(Debug)]
pub(super) struct PackPublisher {
    git: Arc<dyn Repositories>,
    blobs: Arc<dyn Blobs>,
    scratch: PathBuf,
    published: Mutex<BTreeMap<Commit, Arc<Mutex<Option<PublishedPack>>>>>,
}

/// A pack that was seen complete in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PublishedPack {
    key: BlobKey,
    marker: PackMarker,
}

impl PackPublisher {
    /// Packs commits with `git` into `blobs`, with temporary files in `scratch`.
    pub(super) fn new(git: Arc<dyn Repositories>, blobs: Arc<dyn Blobs>, scratch: PathBuf) -> Self {
        Self { git, blobs, scratch, published: Mutex::default() }
    }

    /// The source of a commit with `depth` commits of history, for an agent. Publishes the pack if needed.
    pub(super) async fn source(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Source, ApplyError> {
        let PublishedPack { key, marker } = self.published(url, sha, depth).await?;
        // Tags are not part of the cached pack: a commit may be tagged long after it was packed.
        let tags = self.git.tags(url, sha, depth).await.unwrap_or_else(|error| {
            tracing::warn!(%sha, %error, "the tags could not be read; the phase gets none");
            Vec::new()
        });
        Ok(Source::Pack { key: key.as_str().to_owned(), shallow: marker.shallow, tags })
    }

    /// The commit pack, created if the blob store lacks it.
    async fn published(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<PublishedPack, ApplyError> {
        let cell = {
            let mut published = self.published.lock().await;
            if published.len() >= MOST {
                published.retain(|_, cell| Arc::strong_count(cell) > 1);
            }
            Arc::clone(published.entry((url.to_owned(), sha.clone(), depth)).or_default())
        };
        // An earlier phase may have removed it. Concurrent callers check in parallel, without the lock.
        let remembered = cell.lock().await.clone();
        if let Some(published) = &remembered
            && self.is_whole(published).await?
        {
            return Ok(published.clone());
        }
        let mut cell = cell.lock().await;
        let published = match &*cell {
            // Another task published it meanwhile.
            Some(published) if remembered.as_ref() != Some(published) => published.clone(),
            _ => self.publish(url, sha, depth).await?,
        };
        Ok(cell.insert(published).clone())
    }

    /// Whether the pack exists in full size. It is older than its marker, so it may expire first, and a power loss may
    /// truncate it.
    async fn is_whole(&self, published: &PublishedPack) -> Result<bool, ApplyError> {
        match self.blobs.size(&published.key).await {
            Ok(size) => Ok(size.is_some_and(|size| published.marker.is_whole(size))),
            Err(BlobError::NotABlob { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn publish(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<PublishedPack, ApplyError> {
        let key = BlobKey::pack(&repository_key(url), sha, depth)?;
        if let Some(marker) = PackMarker::read(&*self.blobs, &key).await? {
            let published = PublishedPack { key: key.clone(), marker };
            if self.is_whole(&published).await? {
                return Ok(published);
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
        Ok(PublishedPack { key, marker })
    }
}

/// Temporary directories that dead processes left in `scratch`.
pub fn abandoned_scratch(scratch: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(scratch).into_iter().flatten().flatten();
    let left = entries.filter(|entry| liveness::is_abandoned(&entry.file_name().to_string_lossy()));
    left.map(|entry| entry.path()).collect()
}

/// Removes the temporary directories of dead processes.
pub fn remove_abandoned_scratch(scratch: &Path) {
    for path in abandoned_scratch(scratch) {
        // The next apply tries again.
        let _ = std::fs::remove_dir_all(path);
    }
}

/// A repository's part of a blob key: its name, for readability, and a digest of its URL, for uniqueness.
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
    fn repositories_of_the_same_name_have_different_keys() {
        let (a, b) = (repository_key("https://x/acme/shop.git"), repository_key("https://y/acme/shop.git"));
        assert!(a.starts_with("shop-") && b.starts_with("shop-"));
        assert_ne!(a, b);
        assert!(BlobKey::new(repository_key("../..")).is_ok());
    }
}
