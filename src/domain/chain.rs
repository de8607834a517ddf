//! The chain of a journal: every entry carries the digest of the entry before it.
//!
//! An entry's digest is the SHA-256 of its line: the entry as JSON without whitespace, the keys of every object in the
//! order of their code points. So the chain can be checked with nothing but the lines and SHA-256, and a changed entry
//! means that all entries after it change as well.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Consent, Event, Generation, Head, RecordedEvent};

/// The SHA-256 of an entry of a journal; as text, sixty-four lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryDigest([u8; 32]);

impl EntryDigest {
    /// The digest of an entry's line, without the line break.
    pub fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for EntryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for EntryDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        let is_digest = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest {
            return Err("the digest of an entry has 64 lowercase hex digits");
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
            *byte = digit(digits[0]) << 4 | digit(digits[1]);
        }
        Ok(Self(bytes))
    }
}

impl From<EntryDigest> for String {
    fn from(digest: EntryDigest) -> Self {
        digest.to_string()
    }
}

/// An entry of a journal.
pub trait Entry: Serialize {
    /// The recorded digest of the entry before it. The first entry has none, nor have those that an older katkit wrote.
    fn previous(&self) -> Option<EntryDigest>;

    /// The entry's line, without the line break. `before` is the digest of the entry before it under the same name, for
    /// an entry that an older katkit wrote.
    fn line(&self, before: Option<EntryDigest>) -> String {
        let before = before.filter(|_| self.previous().is_none());
        // An entry that was read or is about to be recorded can be serialized.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let (Some(before), Some(fields)) = (before, value.as_object_mut()) {
            fields.insert("previous".to_owned(), before.to_string().into());
        }
        value.sort_all_objects();
        value.to_string()
    }

    /// The digest of [`Entry::line`].
    fn digest(&self, before: Option<EntryDigest>) -> EntryDigest {
        EntryDigest::of(self.line(before).as_bytes())
    }
}

impl Entry for RecordedEvent {
    fn previous(&self) -> Option<EntryDigest> {
        self.previous
    }
}

impl Entry for Consent {
    fn previous(&self) -> Option<EntryDigest> {
        self.previous
    }
}

impl Head {
    /// The digest of an event that comes next; `None` if that cannot be told, because the events before it were recorded
    /// by an older katkit and are not at hand.
    pub fn digest_of_next(&self, recorded: &RecordedEvent) -> Option<EntryDigest> {
        // After a rename, the head is that of the former name: its chain is another journal's.
        if matches!(recorded.event, Event::MovedFrom { .. }) {
            return Some(recorded.digest(None));
        }
        let is_known =
            recorded.previous.is_some() || self.chain.is_some() || self.generation == Generation(0);
        is_known.then(|| recorded.digest(self.chain))
    }

    /// Whether an older katkit wrote it, so that the digest of its last event has yet to be computed from the journal.
    pub fn lacks_chain(&self) -> bool {
        self.chain.is_none() && self.generation > Generation(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> RecordedEvent {
        serde_json::from_str(text).unwrap()
    }

    const FIRST: &str = r#"{"generation":1,"at":"2026-11-30T09:00:00.5Z","by":"ana","event":{"event":"unlocked",
        "why":"it hung\n\u0001\u007f é","from":"laptop"}}"#;

    /// Another line means another digest for what is already recorded.
    #[test]
    fn the_line_of_a_recorded_entry_never_changes() {
        let first = event(FIRST);
        let line = concat!(
            r#"{"at":"2026-11-30T09:00:00.5Z","by":{"assurance":"asserted","door":"cli","kind":"person","#,
            r#""name":"ana"},"event":{"event":"unlocked","from":"laptop","why":"it hung\n\u0001"#,
            "\u{7f} é",
            r#""},"generation":1}"#
        );
        assert_eq!(first.line(None), line);
        let digest = "29425e443af11bb13eda5cd292c3b1e98c8351921181a08c4cec86fc933e1c28";
        assert_eq!(first.digest(None).to_string(), digest);
        let second = RecordedEvent { generation: Generation(2), previous: Some(first.digest(None)), ..first };
        let previous = format!(r#","generation":2,"previous":"{digest}"}}"#);
        assert!(second.line(None).ends_with(&previous), "{}", second.line(None));
        let text = second.line(None);
        assert_eq!(event(&text).line(None), text, "it survives a round trip");
    }

    #[test]
    fn an_entry_of_an_older_katkit_gets_the_digest_of_the_one_before_it() {
        let first = event(FIRST);
        let before = first.digest(None);
        let bare = RecordedEvent { generation: Generation(2), ..first };
        let chained = RecordedEvent { previous: Some(before), ..bare.clone() };
        assert_eq!(bare.line(Some(before)), chained.line(None));
        assert_eq!(chained.line(Some(bare.digest(None))), chained.line(None), "what is recorded counts");
        let (from, record) = ("dev/shop".parse().unwrap(), String::new());
        let moved = RecordedEvent { event: Event::MovedFrom { from, record }, ..bare };
        let head = Head { generation: Generation(1), chain: Some(before), ..Head::default() };
        assert_eq!(head.digest_of_next(&moved), Some(moved.digest(None)), "it continues another journal");
    }

    #[test]
    fn only_sixty_four_lowercase_hex_digits_are_a_digest() {
        let text = EntryDigest::of(b"abc").to_string();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(EntryDigest::try_from(text.clone()).unwrap(), EntryDigest::of(b"abc"));
        for bad in [String::new(), text[1..].to_owned(), text.to_uppercase(), "é".repeat(32)] {
            assert!(EntryDigest::try_from(bad).is_err());
        }
    }
}
