//! The identity of a saved plan.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The SHA-256 of a saved plan: sixty-four lowercase hex digits, the same that `sha256sum` prints for the file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanDigest(String);

impl PlanDigest {
    /// The digest of a plan file's bytes.
    pub fn of(saved: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        Self(Sha256::digest(saved).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// All sixty-four digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for display.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl fmt::Debug for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl TryFrom<String> for PlanDigest {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digest = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_digest { Ok(Self(text)) } else { Err("a plan digest has 64 lowercase hex digits") }
    }
}

impl From<PlanDigest> for String {
    fn from(digest: PlanDigest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_matches_sha256sum_and_other_texts_are_refused() {
        let digest = PlanDigest::of(b"abc");
        assert_eq!(digest.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.short(), "ba7816bf8f");
        for bad in [String::new(), "a".repeat(63), "A".repeat(64), "é".repeat(32)] {
            assert!(PlanDigest::try_from(bad).is_err());
        }
    }
}
