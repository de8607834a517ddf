//! The keys of everything that katkit keeps as a blob.
//!
//! ```text
//! commits/<repository>/<sha>-<depth>.pack      one per commit and depth, shared by all phases; .pack.json beside it
//! <tenant>/<link>/<sha>/<phase>/<run>.<attempt>/phase.json
//!                                              /replica-0/status.json
//!                                              /replica-0/log/000001
//!                                              /replica-0/artifacts/…
//! probe/<process>-<time>                       written, read and removed by `katkit verify`
//! ```
//!
//! Who may read and write what is said by prefix (see `bootstrap`), so what lies beside the tenants is reserved:
//! [`TenantName::RESERVED`](crate::domain::TenantName::RESERVED).

use crate::domain::{AttemptNumber, COMMITS, CommitSha, LinkId, PROBE, PhaseName, RunId};

use super::{BlobError, BlobKey};

impl BlobKey {
    /// The longest key in bytes, which is that of S3, so that what one store takes, every store takes.
    pub const LONGEST: usize = 1024;
    /// The longest segment in bytes, which is that of most file systems.
    const LONGEST_SEGMENT: usize = 255;

    /// Checks that `key` is made of segments that are not empty, `.` or `..`, hold no control character or `\`, and are
    /// not too long for any store. The first does not begin with `.`: those names are the store's own.
    pub fn new(key: impl Into<String>) -> Result<Self, BlobError> {
        let key = key.into();
        let sound = key.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.len() <= Self::LONGEST_SEGMENT
                && !segment.chars().any(|c| c.is_control() || c == '\\')
        });
        let sound = sound && key.len() <= Self::LONGEST && !key.starts_with('.');
        if sound { Ok(Self(key)) } else { Err(BlobError::Key(key)) }
    }

    /// The key as one text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This key with further segments behind it, which must be sound; see [`BlobKey::new`].
    pub fn join(&self, rest: &str) -> Result<Self, BlobError> {
        Self::new(format!("{}/{rest}", self.0))
    }

    /// Everything about one attempt.
    pub fn attempt(
        link: &LinkId,
        sha: &CommitSha,
        phase: &PhaseName,
        run: &RunId,
        number: AttemptNumber,
    ) -> Self {
        // Every part is a checked domain name, so the whole is sound.
        Self(format!("{}/{}/{sha}/{phase}/{run}.{number}", link.tenant, link.link))
    }

    /// Everything that the attempts of a link left under this name of it.
    pub fn link(link: &LinkId) -> Self {
        Self(format!("{}/{}", link.tenant, link.link))
    }

    /// The attempt that a blob was left by: the key of everything about it, its commit and its run. `None` for what no attempt
    /// leaves.
    pub fn left_by(&self) -> Option<(Self, CommitSha, RunId)> {
        let mut ends = self.0.match_indices('/').map(|(end, _)| end);
        let (place, _) = self.0.split_at(ends.nth(4)?);
        let mut segments = place.split('/').skip(2);
        let sha = CommitSha::new(segments.next()?).ok()?;
        let (run, number) = segments.nth(1)?.rsplit_once('.')?;
        number.parse::<u32>().ok()?;
        Some((Self(place.to_owned()), sha, RunId(run.to_owned())))
    }

    /// The commit of a pack, or of the marker beside one; `None` for what is neither.
    pub fn packed(&self) -> Option<CommitSha> {
        let mut segments = self.0.split('/');
        let is_pack = segments.next() == Some(COMMITS) && segments.next().is_some();
        let name = segments.next().filter(|_| is_pack && segments.next().is_none())?;
        let name = name.strip_suffix(".json").unwrap_or(name).strip_suffix(".pack")?;
        let (sha, depth) = name.split_once('-')?;
        depth.parse::<u32>().ok()?;
        CommitSha::new(sha).ok()
    }

    /// Whether it is that of a marker beside a pack.
    pub fn is_pack_marker(&self) -> bool {
        self.packed().is_some() && self.0.strip_suffix(".pack").is_none()
    }

    /// One replica's part of an attempt. Call it on an attempt's key.
    #[must_use]
    pub fn replica(&self, number: u32) -> Self {
        Self(format!("{}/replica-{number}", self.0))
    }

    /// What is to be run. Call it on an attempt's key.
    #[must_use]
    pub fn phase_json(&self) -> Self {
        Self(format!("{}/phase.json", self.0))
    }

    /// How it goes. Call it on a replica's key.
    #[must_use]
    pub fn status_json(&self) -> Self {
        Self(format!("{}/status.json", self.0))
    }

    /// Where the chunks of the log are. Call it on a replica's key.
    #[must_use]
    pub fn log(&self) -> Self {
        Self(format!("{}/log", self.0))
    }

    /// A chunk of the log, from 1. Call it on a replica's key.
    #[must_use]
    pub fn log_chunk(&self, number: u32) -> Self {
        Self(format!("{}/log/{number:06}", self.0))
    }

    /// Where the kept files are. Call it on a replica's key.
    #[must_use]
    pub fn artifacts(&self) -> Self {
        Self(format!("{}/artifacts", self.0))
    }

    /// The pack of a commit with `depth` commits of history. `repository` is [`crate::domain`]-safe text.
    pub fn pack(repository: &str, sha: &CommitSha, depth: u32) -> Result<Self, BlobError> {
        Self::new(format!("{COMMITS}/{repository}/{sha}-{depth}.pack"))
    }

    /// Where the packs of all repositories are.
    pub fn commits() -> Self {
        Self(COMMITS.to_owned())
    }

    /// A blob of nobody's, to see whether the store can be used. `name` is one segment.
    pub fn probe(name: &str) -> Result<Self, BlobError> {
        Self::new(format!("{PROBE}/{name}"))
    }

    /// The marker that says that a pack is complete. Call it on a pack's key.
    #[must_use]
    pub fn pack_marker(&self) -> Self {
        Self(format!("{}.json", self.0))
    }
}

impl std::fmt::Display for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TenantName;

    #[test]
    fn what_lies_beside_the_tenants_is_the_name_of_none() {
        let sha = "a".repeat(40).parse().unwrap();
        let keys =
            [BlobKey::pack("shop", &sha, 1).unwrap(), BlobKey::commits(), BlobKey::probe("1").unwrap()];
        let mut first: Vec<_> = keys.iter().filter_map(|key| key.as_str().split('/').next()).collect();
        first.dedup();
        assert_eq!(first, TenantName::RESERVED);
    }

    #[test]
    fn a_blob_tells_which_attempt_left_it() {
        let (link, sha): (LinkId, CommitSha) = ("dev/shop".parse().unwrap(), "a".repeat(40).parse().unwrap());
        let (phase, run) = (PhaseName::new("POST DEPLOY (1)").unwrap(), RunId("14-3f2a9c".to_owned()));
        let attempt = BlobKey::attempt(&link, &sha, &phase, &run, AttemptNumber(2));
        for blob in [attempt.phase_json(), attempt.replica(0).log_chunk(1)] {
            assert!(blob.as_str().starts_with(BlobKey::link(&link).as_str()));
            assert_eq!(blob.left_by(), Some((attempt.clone(), sha.clone(), run.clone())));
        }
        for other in
            ["dev/shop", "dev/shop/x/build/1.1/a", &format!("dev/shop/{sha}/build/1/a"), attempt.as_str()]
        {
            assert_eq!(BlobKey::new(other).unwrap().left_by(), None, "{other}");
        }
    }

    #[test]
    fn a_pack_tells_its_commit() {
        let sha: CommitSha = "a".repeat(40).parse().unwrap();
        let pack = BlobKey::pack("shop-0123", &sha, 50).unwrap();
        assert_eq!(pack.packed(), Some(sha.clone()));
        assert_eq!(pack.pack_marker().packed(), Some(sha.clone()));
        assert!(pack.pack_marker().is_pack_marker() && !pack.is_pack_marker());
        for other in
            [format!("commits/{sha}-1.pack"), format!("commits/a/b/{sha}-1.pack"), "commits/a/x".to_owned()]
        {
            assert_eq!(BlobKey::new(other).unwrap().packed(), None);
        }
    }

    #[test]
    fn a_key_that_some_store_could_not_hold_is_refused() {
        for good in ["a", "dev/shop/.coverage", "dev/POST DEPLOY (1)/ü", "a/...", &"x".repeat(255)] {
            assert!(BlobKey::new(good).is_ok(), "{good:?}");
        }
        let (deep, long) = ("x/".repeat(512) + "x", "x".repeat(256));
        for bad in
            ["", "/", "a/", "/a", "a//b", "a/./b", "a/..", "a\\b", "a\nb", ".temporary/x", &deep, &long]
        {
            assert!(matches!(BlobKey::new(bad), Err(BlobError::Key(_))), "{bad:?}");
        }
    }
}
