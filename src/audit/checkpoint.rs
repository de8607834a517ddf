//! Checkpoints: the signed size and root of the log.
//!
//! Source: <https://c2sp.org/tlog-checkpoint>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::note;
use super::{Signed, SigningKey, VerifierKey};

/// The size and root of the log at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is of; also the name of the key that signs it.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root of the tree, as RFC 6962 defines it.
    pub root: [u8; 32],
}

impl Checkpoint {
    /// The checkpoint in a note. With keys, one of the key of its origin must have signed it.
    pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Self, String> {
        let note = Signed::parse(note).map_err(|error| error.to_string())?;
        let found = Self::parse(note.text).ok_or("its text is not that of a checkpoint")?;
        let own: Vec<_> = keys.iter().filter(|key| key.name() == found.origin).cloned().collect();
        match (keys, own.as_slice()) {
            ([], _) => Ok(found),
            (_, []) => Err(format!("it is of the log `{}`, for which no key was given", found.origin)),
            (_, own) => note.verify(own).map(|()| found).map_err(|error| error.to_string()),
        }
    }

    /// The checkpoint in a note's text. Lines after the third are extensions, which say nothing to us.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let is_number = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
        let size = size.parse().ok().filter(|_| is_number)?;
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        (!origin.is_empty()).then(|| Self { origin: origin.to_owned(), size, root })
    }

    /// The text that is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// The signed note.
    pub fn sign(&self, key: &SigningKey) -> String {
        note::sign(&self.text(), key)
    }
}
