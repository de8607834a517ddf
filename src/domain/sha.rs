//! The identity of a commit, and of what it contains.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A full commit id: forty lowercase hex digits. Never a branch, never a prefix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CommitSha(ArrayString<40>);

/// Why a text is not a full commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShaError {
    /// Hex digits, but fewer than forty.
    #[error("`{0}` is a prefix of a commit sha ({n} of 40 digits)", n = .0.len())]
    Prefix(String),
    /// Anything else: a branch, a tag, uppercase digits, a SHA-256 id.
    #[error("`{0}` is not a commit sha (40 lowercase hex digits)")]
    NotASha(String),
}

impl CommitSha {
    /// Checks that `text` is forty lowercase hex digits.
    pub fn new(text: impl AsRef<str>) -> Result<Self, ShaError> {
        let text = text.as_ref();
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match (ArrayString::from(text), text.len()) {
            (Ok(digits), 40) if hex => Ok(Self(digits)),
            (Ok(_), 4..40) if hex => Err(ShaError::Prefix(text.to_owned())),
            _ => Err(ShaError::NotASha(text.to_owned())),
        }
    }

    /// All forty digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for display. Never an identity.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl FromStr for CommitSha {
    type Err = ShaError;
    fn from_str(text: &str) -> Result<Self, ShaError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for CommitSha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = CommitSha;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a commit sha")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CommitSha, E> {
                CommitSha::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// The id of everything that a commit contains: forty lowercase hex digits. Two commits with the same content have the
/// same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeId(CommitSha);

impl TreeId {
    /// Checks that `text` is forty lowercase hex digits.
    pub fn new(text: impl AsRef<str>) -> Result<Self, ShaError> {
        CommitSha::new(text).map(Self)
    }

    /// All forty digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forty_lowercase_digits_are_a_sha() {
        assert!(CommitSha::new("a".repeat(40)).is_ok());
        assert_eq!(CommitSha::new("abc1234"), Err(ShaError::Prefix("abc1234".into())));
        for bad in ["main".to_owned(), "A".repeat(40), "a".repeat(64), String::new(), "é".repeat(20)] {
            assert!(matches!(CommitSha::new(bad), Err(ShaError::NotASha(_))));
        }
    }
}
