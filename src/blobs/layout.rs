//! The keys of all blobs that katkit stores.
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
//! Permissions are granted by prefix (see `bootstrap`), so the names beside the tenants are reserved:
//! [`TenantName::RESERVED`](crate::domain::TenantName::RESERVED).

use crate::domain::{AttemptNumber, COMMITS, CommitSha, LinkId, PROBE, PhaseName, RunId};

use super::{BlobError, BlobKey};

impl BlobKey {
    /// Maximum length of a key in bytes. It is S3's limit, applied to all stores alike.
    pub const LONGEST: usize = 1024;
    /// Maximum length of a segment in bytes, the limit of most file systems.
    const LONGEST_SEGMENT: usize = 255;

    /// Checks that no segment of `key` is empty, `.` or `..`, contains a control character or `\`, or is too long for
    /// any store. The first segment must not begin with `.`: those names are reserved for the store itself.
    pub fn new(key: impl Into<String>) -> Result<Self, BlobError> {
        let key = key.into();
        let valid = key.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.len() <= Self::LONGEST_SEGMENT
                && !segment.chars().any(|c| c.is_control() || c == '\\')
        });
        let valid = valid && key.len() <= Self::LONGEST && !key.starts_with('.');
        if valid { Ok(Self(key)) } else { Err(BlobError::Key(key)) }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends further segments, which must be valid; see [`BlobKey::new`].
    pub fn join(&self, rest: &str) -> Result<Self, BlobError> {
        Self::new(format!("{}/{rest}", self.0))
    }

    /// The prefix of one attempt.
    pub fn attempt(
        link: &LinkId,
        sha: &CommitSha,
        phase: &PhaseName,
        run: &RunId,
        number: AttemptNumber,
    ) -> Self {
        // Every part is a checked domain name, so the whole is valid.
        Self(format!("{}/{}/{sha}/{phase}/{run}.{number}", link.tenant, link.link))
    }

    /// The prefix of all attempts of a link under this name.
    pub fn link(link: &LinkId) -> Self {
        Self(format!("{}/{}", link.tenant, link.link))
    }

    /// The attempt that left this blob: its prefix, commit and run. `None` if no attempt left it.
    pub fn left_by(&self) -> Option<(Self, CommitSha, RunId)> {
        let mut ends = self.0.match_indices('/').map(|(end, _)| end);
        let (attempt, _) = self.0.split_at(ends.nth(4)?);
        let mut segments = attempt.split('/').skip(2);
        let sha = CommitSha::new(segments.next()?).ok()?;
        let (run, number) = segments.nth(1)?.rsplit_once('.')?;
        number.parse::<u32>().ok()?;
        Some((Self(attempt.to_owned()), sha, RunId(run.to_owned())))
    }

    /// The commit of a pack or its marker; `None` for any other key.
    pub fn packed(&self) -> Option<CommitSha> {
        let mut segments = self.0.split('/');
        let is_pack = segments.next() == Some(COMMITS) && segments.next().is_some();
        let name = segments.next().filter(|_| is_pack && segments.next().is_none())?;
        let name = name.strip_suffix(".json").unwrap_or(name).strip_suffix(".pack")?;
        let (sha, depth) = name.split_once('-')?;
        depth.parse::<u32>().ok()?;
        CommitSha::new(sha).ok()
    }

    /// Whether this is the key of a marker beside a pack.
    pub fn is_pack_marker(&self) -> bool {
        self.packed().is_some() && self.0.strip_suffix(".pack").is_none()
    }

    /// The prefix of one replica. Call it on an attempt's key.
    #[must_use]
    pub fn replica(&self, number: u32) -> Self {
        Self(format!("{}/replica-{number}", self.0))
    }

    /// The phase spec. Call it on an attempt's key.
    #[must_use]
    pub fn phase_json(&self) -> Self {
        Self(format!("{}/phase.json", self.0))
    }

    /// The list of the artifacts that the phase gets from earlier phases. Call it on an attempt's key.
    #[must_use]
    pub fn inputs_json(&self) -> Self {
        Self(format!("{}/inputs.json", self.0))
    }

    /// The replica's status. Call it on a replica's key.
    #[must_use]
    pub fn status_json(&self) -> Self {
        Self(format!("{}/status.json", self.0))
    }

    /// The prefix of the log chunks. Call it on a replica's key.
    #[must_use]
    pub fn log(&self) -> Self {
        Self(format!("{}/log", self.0))
    }

    /// A log chunk; numbers start at 1. Call it on a replica's key.
    #[must_use]
    pub fn log_chunk(&self, number: u32) -> Self {
        Self(format!("{}/log/{number:06}", self.0))
    }

    /// The prefix of the artifacts. Call it on a replica's key.
    #[must_use]
    pub fn artifacts(&self) -> Self {
        Self(format!("{}/artifacts", self.0))
    }

    /// The pack of a commit with `depth` commits of history. `repository` is [`crate::domain`]-safe text.
    pub fn pack(repository: &str, sha: &CommitSha, depth: u32) -> Result<Self, BlobError> {
        Self::new(format!("{COMMITS}/{repository}/{sha}-{depth}.pack"))
    }

    /// The prefix of all packs.
    pub fn commits() -> Self {
        Self(COMMITS.to_owned())
    }

    /// A blob for testing whether the store is usable. `name` is one segment.
    pub fn probe(name: &str) -> Result<Self, BlobError> {
        Self::new(format!("{PROBE}/{name}"))
    }

    /// The marker of a complete pack. Call it on a pack's key.
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
    fn keys_beside_the_tenants_are_reserved_names() {
        let sha = "a".repeat(40).parse().unwrap();
        let keys =
            [BlobKey::pack("shop", &sha, 1).unwrap(), BlobKey::commits(), BlobKey::probe("1").unwrap()];
        let mut first: Vec<_> = keys.iter().filter_map(|key| key.as_str().split('/').next()).collect();
        first.dedup();
        assert_eq!(first, TenantName::RESERVED);
    }

    #[test]
    fn the_attempt_is_derived_from_a_blobs_key() {
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
    fn the_commit_is_derived_from_a_packs_key() {
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
