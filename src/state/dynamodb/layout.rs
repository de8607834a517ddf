//! The layout of the table.

use sha2::{Digest, Sha256};

use crate::domain::{CommitSha, ConsentId, Generation, LinkId, RequestId};

/// How many partitions hold the current state.
pub const SHARDS: u8 = 4;

/// Prefixes of the sort keys of heads, leases and requests.
pub const HEADS: &str = "head#";
pub const LEASES: &str = "lease#";
pub const REQUESTS: &str = "request#";

/// The partition with the consents that stand, and the sort key of the number of the last consent there. That sorts
/// before the prefix of the others.
pub const CONSENTS: &str = "consents";
pub const LAST: &str = "last";
pub const STANDING: &str = "standing#";

/// The partition of the journal of consents.
pub const CONSENT_JOURNAL: &str = "consents#journal";

/// The partition of the log of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The item with the layout version.
    pub fn schema() -> Self {
        Self::new("meta", "schema")
    }

    /// The request counter.
    pub fn request_count() -> Self {
        Self::new("meta", "requests")
    }

    /// The number of the last consent.
    pub fn last_consent() -> Self {
        Self::new(CONSENTS, LAST)
    }

    /// A consent that stands.
    pub fn standing_consent(id: ConsentId) -> Self {
        Self::new(CONSENTS, format!("{STANDING}{}", consent_place(id)))
    }

    /// An entry of the journal of consents.
    pub fn consent(id: ConsentId) -> Self {
        Self::new(CONSENT_JOURNAL, consent_place(id))
    }

    /// The evidence for a commit.
    pub fn evidence(sha: &CommitSha) -> Self {
        Self::new(format!("commit#{sha}"), "evidence")
    }

    /// A batch of the log of checkpoints.
    pub fn checkpoint(number: u64) -> Self {
        Self::new(CHECKPOINTS, format!("{number:020}"))
    }

    /// A link's head.
    pub fn head(link: &LinkId) -> Self {
        Self::new(shard_of(&link.to_string()), format!("{HEADS}{link}"))
    }

    /// A link's lease.
    pub fn lease(link: &LinkId) -> Self {
        Self::new(shard_of(&link.to_string()), format!("{LEASES}{link}"))
    }

    /// A request; `None` if the text is not exactly a request id.
    pub fn request(id: &RequestId) -> Option<Self> {
        let number: u64 = id.as_str().parse().ok()?;
        let sk = format!("{REQUESTS}{id}");
        (request_id(number) == *id).then(|| Self::new(shard_of(id.as_str()), sk))
    }

    /// An event of a link.
    pub fn event(link: &LinkId, generation: Generation) -> Self {
        Self::new(journal(link), place(generation))
    }

    /// A part of a link's head, from 1.
    pub fn head_part(link: &LinkId, number: usize) -> Self {
        Self::new(format!("parts#{link}"), format!("head#{number:04}"))
    }

    /// A part of an event of a link, from 1.
    pub fn event_part(link: &LinkId, generation: Generation, number: usize) -> Self {
        Self::new(format!("parts#{link}"), format!("{}#{number:04}", place(generation)))
    }
}

/// The partitions that hold the current state.
pub fn shards() -> impl Iterator<Item = String> {
    (0..SHARDS).map(|number| format!("now#{number}"))
}

fn shard_of(name: &str) -> String {
    format!("now#{}", Sha256::digest(name.as_bytes())[0] % SHARDS)
}

/// The partition of a link's journal.
pub fn journal(link: &LinkId) -> String {
    format!("journal#{link}")
}

/// The sort key of an event: sorts by generation.
pub fn place(generation: Generation) -> String {
    format!("{:020}", generation.0)
}

/// The sort key of an entry of the journal of consents: sorts by id.
pub fn consent_place(id: ConsentId) -> String {
    format!("{:020}", id.0)
}

/// The id of the `number`th request.
pub fn request_id(number: u64) -> RequestId {
    RequestId(format!("{number:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_in_katkits_own_format_are_request_ids() {
        assert_eq!(Key::request(&request_id(7)).unwrap().sk, "request#000000000007");
        for odd in ["7", "", "+00000000007", "r7", "0000000000000007"] {
            assert_eq!(Key::request(&RequestId(odd.to_owned())), None, "{odd}");
        }
    }

    #[test]
    fn events_sort_by_generation() {
        let places = [1, 9, 10, u64::MAX].map(|generation| place(Generation(generation)));
        assert!(places.is_sorted());
    }

    /// Another digest would send every lookup to the wrong partition.
    #[test]
    fn a_link_stays_in_its_partition() {
        let shard = |id: &str| Key::head(&id.parse().unwrap()).pk;
        assert_eq!(["dev/shop", "prod/shop", "a/b", "x/y"].map(shard), ["now#2", "now#3", "now#1", "now#1"]);
    }
}
