//! Ed25519 keys, in the text form that C2SP gives to the keys of signed notes, and in PEM.
//!
//! Source: <https://c2sp.org/signed-note>

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest, Sha256};

/// The signature type of Ed25519 in a key and in its id.
const ED25519_TYPE: u8 = 1;

/// What comes before the 32 bytes of the key in a `SubjectPublicKeyInfo` (RFC 8410, section 4).
const ED25519_INFO: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of the form of a verifier key.
    #[error("it is not of the form `NAME+ID+KEY`")]
    Form,
    /// A name that cannot stand in a note.
    #[error("its name is empty, or contains a space or `+`")]
    Name,
    /// Another kind of key.
    #[error("it is not an Ed25519 key")]
    Type,
    /// The id is not that of the name and the key.
    #[error("its id does not match its name and key: was it copied completely?")]
    Id,
    /// No private key that can be used.
    #[error("it is not an Ed25519 private key in PEM, as `openssl genpkey -algorithm ed25519` writes it")]
    Private,
}

/// A public key that verifies notes, with the name that signs them.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: [u8; 32],
}

/// A private key that signs notes and attestations.
pub struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl VerifierKey {
    /// The name in its signatures.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells keys of the same name apart.
    pub(super) fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519_TYPE])
            .chain_update(self.key)
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// The key as a `SubjectPublicKeyInfo` in DER.
    fn info(&self) -> Vec<u8> {
        [&ED25519_INFO[..], &self.key].concat()
    }

    /// The key in PEM, for other tools.
    pub fn pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(self.info()))
    }

    /// The SHA-256 of its `SubjectPublicKeyInfo`, by which other tools find a key: 64 hex digits.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.info()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(text, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = [&[ED25519_TYPE], &self.key[..]].concat();
        write!(f, "{}+{id}+{}", self.name, BASE64.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        check_name(name)?;
        let key = BASE64.decode(key).map_err(|_| KeyError::Form)?;
        let key = match key.split_first() {
            Some((&ED25519_TYPE, key)) => <[u8; 32]>::try_from(key).map_err(|_| KeyError::Type)?,
            _ => return Err(KeyError::Type),
        };
        let found = Self { name: name.to_owned(), key };
        let expected: String = found.id().iter().map(|byte| format!("{byte:02x}")).collect();
        if id == expected { Ok(found) } else { Err(KeyError::Id) }
    }
}

impl SigningKey {
    /// A private key in PEM (PKCS #8), which signs under the name.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, KeyError> {
        check_name(name)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Private)?;
        // OpenSSL's keys lack the public half.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        let pair = pair.map_err(|_| KeyError::Private)?;
        let key = <[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| KeyError::Private)?;
        Ok(Self { verifier: VerifierKey { name: name.to_owned(), key }, pair })
    }

    /// What verifies its signatures.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a message. Each kind of message must begin differently, so that none can be passed off as another: a note
    /// begins with the name of the key, which has no spaces.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// Whether a name can stand in a note.
pub fn check_name(name: &str) -> Result<(), KeyError> {
    let is_valid =
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    if is_valid { Ok(()) } else { Err(KeyError::Name) }
}
