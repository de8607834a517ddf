//! DSSE envelopes: a statement and its signature.
//!
//! Source: <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::Statement;
use crate::audit::SigningKey;

/// The media type of in-toto statements.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The signed envelope of a statement: one line of JSON, without the line break.
pub fn seal(statement: &Statement, key: &SigningKey) -> String {
    let payload = statement.to_string();
    let signature = key.sign(&encoded(PAYLOAD_TYPE, payload.as_bytes()));
    let envelope = json!({
        "payload": BASE64.encode(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "keyid": key.verifier().fingerprint(), "sig": BASE64.encode(signature) }],
    });
    envelope.to_string()
}

/// What is signed: the pre-authentication encoding (PAE) of a payload and its type.
pub(super) fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let header = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [header.as_bytes(), payload].concat()
}
