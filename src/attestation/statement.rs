//! in-toto statements.
//!
//! Source: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::{ImageDigest, without_digest};

/// A statement about images, not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement(Value);

impl Statement {
    /// A predicate about images, which are sorted and listed once; `None` if there are no images.
    pub(super) fn about<'a>(
        images: impl IntoIterator<Item = (&'a str, &'a ImageDigest)>,
        predicate_type: &str,
        predicate: &Value,
    ) -> Option<Self> {
        let images: BTreeSet<_> =
            images.into_iter().map(|(image, digest)| (without_digest(image), digest)).collect();
        let subjects: Vec<_> = images.into_iter().map(|(name, digest)| subject(name, digest)).collect();
        (!subjects.is_empty()).then(|| {
            Self(json!({
                "_type": "https://in-toto.io/Statement/v1",
                "subject": subjects,
                "predicateType": predicate_type,
                "predicate": predicate,
            }))
        })
    }
}

fn subject(name: &str, digest: &ImageDigest) -> Value {
    let (algorithm, digits) = digest.parts();
    json!({ "name": name, "digest": { algorithm: digits } })
}

/// Its JSON, which is what is signed.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A time in whole seconds: `2026-11-30T09:00:00Z`.
pub(super) fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// The katkit that makes the statement.
pub(super) fn version() -> Value {
    json!({ "katkit": env!("CARGO_PKG_VERSION") })
}
