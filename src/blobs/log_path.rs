//! `LOG_PATH`: the location of an attempt in a store, as one URL.
//!
//! It consists of the store's URL, a `/` and the attempt's percent-encoded key, so scripts can append to it like to a
//! plain path. The shape of the key, `<tenant>/<link>/<sha>/<phase>/<run>.<attempt>`, shows where the store's part
//! ends: two segments before the last full sha that is followed by a phase and an attempt. If the store's URL has a
//! query, it comes last.

use std::sync::Arc;

use crate::domain::{CommitSha, percent_decoded, percent_encoded};

use super::{BlobError, BlobKey, Blobs, OpenStore};

/// Number of segments in [`BlobKey::attempt`].
const SEGMENTS: usize = 5;

/// The URL of an attempt, or of a key under it, for [`open_at`] to read. `attempt` begins like [`BlobKey::attempt`].
pub fn log_path(store: &dyn Blobs, attempt: &BlobKey) -> String {
    let store = store.url();
    let (store, query) = split(&store);
    // Only the root's URL already ends in the `/` that separates the two.
    let store = store.strip_suffix('/').unwrap_or(store);
    format!("{store}/{}{query}", percent_encoded(attempt.as_str().as_bytes()))
}

/// The store and the key in a [`log_path`]; opens the store with `open`.
pub fn open_at(log_path: &str, open: OpenStore) -> Result<(Arc<dyn Blobs>, BlobKey), BlobError> {
    let refused = |what| BlobError::Url { url: log_path.to_owned(), what };
    let (path, query) = split(log_path);
    let path = path.trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    let start = segments
        .windows(SEGMENTS)
        .rposition(is_attempt)
        .ok_or_else(|| refused("it does not end in `tenant/link/sha/phase/run.attempt`"))?;

    let mut key = Vec::new();
    for segment in &segments[start..] {
        let text = percent_decoded(segment).and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.filter(|text| !text.contains('/'));
        key.push(text.ok_or_else(|| refused("its key is not percent-encoded UTF-8"))?);
    }
    let store: usize = segments[..start].iter().map(|segment| segment.len() + 1).sum();
    // Keeps the last `/`: the root's path consists of nothing else.
    Ok((open(&format!("{}{query}", &path[..store]))?, BlobKey::new(key.join("/"))?))
}

/// Splits a URL before its query. A literal `?` is percent-encoded.
fn split(url: &str) -> (&str, &str) {
    url.split_at(url.find('?').unwrap_or(url.len()))
}

fn is_attempt(segments: &[&str]) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    CommitSha::new(segments[2]).is_ok() && segments[4].rsplit_once('.').is_some_and(|(_, n)| number(n))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::blobs::{DirectoryBlobs, open};
    use crate::domain::{AttemptNumber, PhaseName, RunId};

    use super::*;

    fn attempt(phase: &str) -> BlobKey {
        let sha = CommitSha::new("a".repeat(40)).unwrap();
        let phase = PhaseName::new(phase).unwrap();
        BlobKey::attempt(&"dev/shop".parse().unwrap(), &sha, &phase, &RunId("7".into()), AttemptNumber(2))
    }

    #[test]
    fn store_and_key_are_found_again_wherever_the_store_is() {
        let (plain, hex) = (attempt("POST DEPLOY: 100 %"), attempt(&"b".repeat(40)));
        for root in ["/", "/var/blobs", &format!("/tmp/a b/{}/x/1.2", "c".repeat(40))] {
            let store = DirectoryBlobs::new(PathBuf::from(root));
            for key in [&plain, &hex, &plain.replica(0), &hex.replica(3).log_chunk(1)] {
                let path = log_path(&store, key);
                let (opened, found) = open_at(&path, open).unwrap();
                assert_eq!((opened.url(), &found), (store.url(), key), "{path}");
                assert_eq!(&open_at(&format!("{path}/"), open).unwrap().1, key);
            }
        }
    }

    #[cfg(feature = "aws")]
    #[test]
    fn the_query_of_a_bucket_comes_after_the_key() {
        let store = open("s3://bucket/prefix?region=eu-central-1").unwrap();
        let path = log_path(&*store, &attempt("build"));
        let sha = "a".repeat(40);
        assert_eq!(path, format!("s3://bucket/prefix/dev/shop/{sha}/build/7.2?region=eu-central-1"));
        let (opened, key) = open_at(&path, open).unwrap();
        assert_eq!((opened.url(), key), (store.url(), attempt("build")));
        assert_eq!(
            open_at(&format!("s3://bucket/dev/shop/{sha}/build/7.2"), open).unwrap().0.url(),
            "s3://bucket"
        );
    }

    #[test]
    fn plain_names_make_a_plain_path() {
        let store = DirectoryBlobs::new(PathBuf::from("/var/blobs"));
        let path = log_path(&store, &attempt("build"));
        assert_eq!(path, format!("file:///var/blobs/dev/shop/{}/build/7.2", "a".repeat(40)));
    }

    #[test]
    fn text_without_an_attempt_is_refused() {
        let slash = format!("file:///b/dev/shop/{}/build%2Fx/1.1", "a".repeat(40));
        let relative = format!("dev/shop/{}/build/1.1", "a".repeat(40));
        for bad in ["", "file:///var/blobs", "file:///var/blobs/dev/shop/main/build/1.1", &slash, &relative] {
            assert!(matches!(open_at(bad, open), Err(BlobError::Url { .. })), "{bad}");
        }
    }
}
