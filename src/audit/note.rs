//! Signed notes: a text, an empty line, and signature lines.
//!
//! Source: <https://c2sp.org/signed-note>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{SigningKey, VerifierKey};

/// What begins a signature line: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";

/// Why a note does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("it is not a signed note")]
    Form,
    /// A signed note that was sent through something that changes line breaks.
    #[error("its line breaks were changed")]
    LineBreaks,
    /// None of the given keys signed it.
    #[error("it is not signed by {keys}")]
    Unsigned {
        /// The names of the keys.
        keys: String,
    },
    /// Only keys of these names that were not given signed it.
    #[error("it is signed with another key of {keys}")]
    OtherKey {
        /// The names.
        keys: String,
    },
    /// A signature under a known key that does not verify.
    #[error("the signature of {name} does not match it")]
    Signature {
        /// The name of the key.
        name: String,
    },
}

/// A signed note, taken apart. Its signatures have yet to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// What was signed, with its last line break.
    pub text: &'a str,
    signatures: &'a str,
}

impl<'a> Signed<'a> {
    /// Takes a note apart.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.contains('\r') {
            return Err(NoteError::LineBreaks);
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        let is_form = signatures.ends_with('\n')
            && signatures.lines().all(|line| signature(line).is_some())
            && !text.contains(|c: char| c.is_control() && c != '\n');
        if is_form { Ok(Self { text, signatures }) } else { Err(NoteError::Form) }
    }

    /// Checks that one of the keys signed it, and that no signature of any of them is wrong. Signatures of other keys
    /// are ignored.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<(), NoteError> {
        let mut is_signed = false;
        for (name, id, bytes) in self.signatures.lines().filter_map(signature) {
            let Some(key) = keys.iter().find(|key| key.name() == name && key.id() == id) else { continue };
            if !key.verifies(self.text.as_bytes(), &bytes) {
                return Err(NoteError::Signature { name: name.to_owned() });
            }
            is_signed = true;
        }
        if is_signed {
            return Ok(());
        }
        let has_name = |name: &str| self.signatures.lines().filter_map(signature).any(|line| line.0 == name);
        let (is_other, names): (Vec<_>, Vec<_>) =
            keys.iter().map(|key| (has_name(key.name()), key.name())).unzip();
        let keys = names.join(" or ");
        Err(if is_other.contains(&true) {
            NoteError::OtherKey { keys }
        } else {
            NoteError::Unsigned { keys }
        })
    }
}

/// The parts of a signature line: the name of the key, its id, and the signature itself.
fn signature(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, base64) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
    let bytes = BASE64.decode(base64).ok()?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    (!name.is_empty()).then(|| (name, *id, bytes.to_vec()))
}

/// The signed note of a text, which ends with a line break.
pub fn sign(text: &str, key: &SigningKey) -> String {
    let verifier = key.verifier();
    let bytes = [&verifier.id()[..], &key.sign(text.as_bytes())].concat();
    format!("{text}\n{SIGNATURE}{} {}\n", verifier.name(), BASE64.encode(bytes))
}
