//! Decodes recorded text, and tells what a newer katkit wrote from damage.
//!
//! No field of a head, event or request may be ignored: an older katkit would drop it with its next write.

use serde::de::DeserializeOwned;

use super::StateError;

/// Why a recorded value cannot be read; the text continues a sentence about the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has something that this build does not know.
    Newer(String),
    /// No katkit writes this.
    Damaged(String),
}

impl From<String> for Unreadable {
    fn from(what: String) -> Self {
        Self::Damaged(what)
    }
}

impl Unreadable {
    /// The same, with `about` as the sentence's subject.
    #[must_use]
    pub fn within(self, about: &str) -> Self {
        match self {
            Self::Newer(what) => Self::Newer(format!("{about} {what}")),
            Self::Damaged(what) => Self::Damaged(format!("{about} {what}")),
        }
    }

    /// The error for callers, about the value at `place`.
    pub fn at(self, place: String) -> StateError {
        match self {
            Self::Newer(what) => StateError::NewerRecord { place, what },
            Self::Damaged(what) => StateError::Corrupt { place, what },
        }
    }
}

/// Reads a value that was recorded as JSON.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // Only serde's wording tells them from other errors; a test below pins it.
        let newer = error.is_data()
            && ["unknown field", "unknown variant"].iter().any(|word| message.starts_with(word));
        match message.split_once(", ") {
            Some((what, _)) if newer => Unreadable::Newer(format!("has an {what}")),
            _ => Unreadable::Damaged(format!("cannot be parsed: {message}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Event, Head, Request};

    fn newer(what: &str) -> Unreadable {
        Unreadable::Newer(format!("has an {what}"))
    }

    #[test]
    fn records_of_a_newer_katkit_are_told_from_damage() {
        let head = |text: &str| decode::<Head>(text).unwrap_err();
        assert_eq!(head(r#"{"generation":3,"train":"x"}"#), newer("unknown field `train`"));
        let inside = r#"{"generation":3,"quarantined":[{"sha":"SHA","since":"1970-01-01T00:00:00Z","why":"","until":1}]}"#;
        assert_eq!(head(&inside.replace("SHA", &"a".repeat(40))), newer("unknown field `until`"));
        let event = |text: &str| decode::<Event>(text).unwrap_err();
        assert_eq!(event(r#"{"event":"approved","by":"x"}"#), newer("unknown variant `approved`"));
        assert_eq!(event(r#"{"event":"taken-over","from":"x","to":"y"}"#), newer("unknown field `to`"));
        let request =
            r#"{"id":"1","link":"dev/shop","at":"1970-01-01T00:00:00Z","by":"x","ask":{"ask":"approve"}}"#;
        assert_eq!(decode::<Request>(request).unwrap_err(), newer("unknown variant `approve`"));
        for damaged in ["", "{", "{}", r#"{"generation":"x"}"#, r#"{"generation":-1}"#, "[]"] {
            assert!(matches!(head(damaged), Unreadable::Damaged(_)), "{damaged}");
        }
    }
}
