//! Recorded texts: what this build understands, what a newer one wrote, and what is damaged.
//!
//! Heads, events and requests hold no field that a build may overlook: an older katkit would drop it with its next write.

use serde::de::DeserializeOwned;

use super::StateError;

/// Why a recorded value cannot be read: the rest of a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has something that this build does not know.
    Newer(String),
    /// No katkit writes that.
    Damaged(String),
}

impl From<String> for Unreadable {
    fn from(what: String) -> Self {
        Self::Damaged(what)
    }
}

impl Unreadable {
    /// The same with its subject: what it is about.
    #[must_use]
    pub fn within(self, about: &str) -> Self {
        match self {
            Self::Newer(what) => Self::Newer(format!("{about} {what}")),
            Self::Damaged(what) => Self::Damaged(format!("{about} {what}")),
        }
    }

    /// The error for the caller, of what lies at `place`.
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
        let said = error.to_string();
        // serde tells them from other errors by these words alone; a test below holds it to them.
        let newer =
            error.is_data() && ["unknown field", "unknown variant"].iter().any(|word| said.starts_with(word));
        match said.split_once(", ") {
            Some((what, _)) if newer => Unreadable::Newer(format!("has an {what}")),
            _ => Unreadable::Damaged(format!("cannot be understood: {said}")),
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
    fn what_a_newer_katkit_wrote_is_told_from_damage() {
        let head = |text: &str| decode::<Head>(text).unwrap_err();
        assert_eq!(head(r#"{"generation":3,"train":"x"}"#), newer("unknown field `train`"));
        let inside = r#"{"generation":3,"quarantined":[{"sha":"SHA","since":"1970-01-01T00:00:00Z","why":"","until":1}]}"#;
        assert_eq!(head(&inside.replace("SHA", &"a".repeat(40))), newer("unknown field `until`"));
        let event = |text: &str| decode::<Event>(text).unwrap_err();
        assert_eq!(event(r#"{"event":"approved","by":"x"}"#), newer("unknown variant `approved`"));
        assert_eq!(event(r#"{"event":"taken-over","from":"x","to":"y"}"#), newer("unknown field `to`"));
        let request =
            r#"{"id":"1","link":"dev/shop","at":"1970-01-01T00:00:00Z","by":"x","ask":{"ask":"promote"}}"#;
        assert_eq!(decode::<Request>(request).unwrap_err(), newer("unknown variant `promote`"));
        for damaged in ["", "{", "{}", r#"{"generation":"x"}"#, r#"{"generation":-1}"#, "[]"] {
            assert!(matches!(head(damaged), Unreadable::Damaged(_)), "{damaged}");
        }
    }
}
