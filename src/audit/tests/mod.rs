//! Every way to change a record, and what a verification says of it.

mod journals;
mod log;

use super::SigningKey;
use crate::domain::EntryDigest;

/// A key that OpenSSL wrote.
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";

fn key() -> SigningKey {
    SigningKey::from_pem("katkit.example.com/prod", PEM).unwrap()
}

fn digest(line: &str) -> EntryDigest {
    EntryDigest::of(line.as_bytes())
}
