//! The identity of a commit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A full commit id: forty lowercase hex digits. Never a branch, never a prefix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(String);

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
    pub fn new(text: impl Into<String>) -> Result<Self, ShaError> {
        let text = text.into();
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match text.len() {
            40 if hex => Ok(Self(text)),
            4..40 if hex => Err(ShaError::Prefix(text)),
            _ => Err(ShaError::NotASha(text)),
        }
    }

    /// All forty digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for people. Never an identity.
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

impl TryFrom<String> for CommitSha {
    type Error = ShaError;
    fn try_from(text: String) -> Result<Self, ShaError> {
        Self::new(text)
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> String {
        sha.0
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
