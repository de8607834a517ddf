//! Brings commits into the blob store: each packed once, for all the phases that will check it out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};

use super::ApplyError;
use crate::blobs::{BlobKey, Blobs};
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
    supplied: Mutex<BTreeMap<Commit, Arc<OnceCell<Source>>>>,
}

/// What lies beside a pack: written last, so that where it is, pack and index are complete.
#[derive(Serialize, Deserialize)]
struct Complete {
    shallow: Vec<CommitSha>,
}

impl Supply {
    /// Packs with `git` into `blobs`, with temporary files in `scratch`, from which it removes those of dead processes.
    pub fn new(git: Arc<dyn Repositories>, blobs: Arc<dyn Blobs>, scratch: PathBuf) -> Self {
        remove_abandoned_scratch(&scratch);
        Self { git, blobs, scratch, supplied: Mutex::default() }
    }

    /// Where an agent finds the commit with `depth` commits of history.
    pub(super) async fn source(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Source, ApplyError> {
        let cell = {
            let mut supplied = self.supplied.lock().await;
            Arc::clone(supplied.entry((url.to_owned(), sha.clone(), depth)).or_default())
        };
        let source = cell.get_or_try_init(|| self.supply(url, sha, depth)).await?;
        Ok(source.clone())
    }

    async fn supply(&self, url: &str, sha: &CommitSha, depth: u32) -> Result<Source, ApplyError> {
        let pack = BlobKey::pack(&repository_key(url), sha, depth)?;
        let complete = BlobKey::new(format!("{}.json", pack.as_str()))?;
        let source = |shallow| Source::Pack { key: pack.as_str().to_owned(), shallow };
        if let Some(bytes) = self.blobs.get(&complete).await?
            && let Ok(Complete { shallow }) = serde_json::from_slice(&bytes)
            // The pack is older than what says that it is there: where blobs expire, it may have gone before it.
            && self.blobs.exists(&pack).await?
        {
            return Ok(source(shallow));
        }
        self.git.ensure(url, sha).await?;
        let scratch = |error| GitError::io("written", &self.scratch, error);
        std::fs::create_dir_all(&self.scratch).map_err(scratch)?;
        let directory =
            tempfile::Builder::new().prefix(&liveness::mark()).tempdir_in(&self.scratch).map_err(scratch)?;
        let packed = self.git.pack(url, sha, depth, directory.path()).await?;
        self.blobs.put_file(&pack, &packed.pack).await?;
        self.blobs.put_file(&pack.pack_index(), &packed.index).await?;
        let marker = serde_json::to_vec(&Complete { shallow: packed.shallow.clone() }).unwrap_or_default();
        self.blobs.put(&complete, &marker).await?;
        Ok(source(packed.shallow))
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
