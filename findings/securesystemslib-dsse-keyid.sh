#!/usr/bin/env bash
# Guessed: securesystemslib, which reads DSSE envelopes for in-toto, reads them without key ids, which are optional in DSSE and
#          not signed, and keeps two signatures that have the same one. Only a wrong id makes it skip a signature.
#          Sigstore's library takes an envelope with two signatures if one of them is good.
# Seen:    An envelope without "keyid" raises KeyError, even if only one of its two signatures lacks it. Two signatures with
#          the same key id, even both with an empty one (which in DSSE is the same as none), raise ValueError. And a key
#          is tried only for the signature that has its id: a right signature with another id, or with an empty one, is
#          not accepted (found 0, expected 1). Any id does, such as "deployments": if the key is loaded under that id, the
#          same bytes verify. @sigstore/bundle needs no id at all, but refuses an envelope with two signatures.
# With:    securesystemslib 1.6.0 and cryptography 50.0.2 (PyPI), @sigstore/bundle 5.0.1 (npm).
# Matters: An envelope for in-toto's tools needs a key id in each signature, a different one in each, and that id must be
#          published with the key. An envelope for Sigstore's tools has a single signature: a second signer
#          signs an envelope of its own.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check securesystemslib==1.6.0 cryptography==50.0.2
npm install --silent --no-audit --no-fund --prefix "$work" @sigstore/bundle@5.0.1 >/dev/null
v/bin/python - <<'P'
import base64, json
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
kind, payload = "application/vnd.in-toto+json", b'{"_type":"https://in-toto.io/Statement/v1"}'
signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
keys = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
ids = [SSlibKey.from_crypto(k.public_key()).keyid for k in keys]
def envelope(*hints):
    signatures = [{"sig": base64.b64encode(k.sign(signed)).decode(), **({} if h is None else {"keyid": h})} for k, h in zip(keys, hints)]
    return {"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": signatures}
def tried(document, names=ids, needed=1):
    public = [SSlibKey.from_crypto(k.public_key(), keyid=name) for k, name in zip(keys, names)]
    try:
        return f"{len(Envelope.from_dict(json.loads(json.dumps(document))).verify(public, needed))} accepted"
    except Exception as e:
        return f"{type(e).__name__}: {e}"
cases = [
    ("ids of the library", envelope(*ids), {"needed": 2}, "2 accepted"),
    ("no ids", envelope(None, None), {}, "KeyError: 'keyid'"),
    ("no id in the second", envelope(ids[0], None), {}, "KeyError: 'keyid'"),
    ("two empty ids", envelope("", ""), {}, "ValueError: Multiple signatures found for keyid "),
    ("one signature, empty id", envelope(""), {}, "VerificationError: Accepted signatures do not match threshold, Found: 0, Expected 1"),
    ("one signature, other id", envelope("deployments"), {}, "VerificationError: Accepted signatures do not match threshold, Found: 0, Expected 1"),
    ("the key loaded under it", envelope("deployments"), {"names": ["deployments", "x"]}, "1 accepted"),
]
for name, document, more, expected in cases:
    seen = tried(document, **more)
    print(f"{name:24} {seen}")
    assert seen == expected, name
with open("envelopes.json", "w") as f:
    json.dump({"one signature, no id": envelope(None), "one signature, an id": envelope("deployments"), "two signatures, other ids": envelope(*ids)}, f)
P
cat >bundle.js <<'J'
const assert = require("assert"), { bundleFromJSON } = require("@sigstore/bundle"), envelopes = require("./envelopes.json");
for (const [name, dsseEnvelope] of Object.entries(envelopes)) {
  let seen = "reads";
  const bundle = { mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", verificationMaterial: { publicKey: { hint: "" }, tlogEntries: [] }, dsseEnvelope };
  try { bundleFromJSON(bundle); } catch (e) { seen = `refuses (${e.name}: ${e.fields})`; }
  console.log(`@sigstore/bundle, ${name}: ${seen}`);
  assert.equal(seen.startsWith("reads"), name.startsWith("one signature"), name);
}
J
node bundle.js
echo "seen: securesystemslib needs a key id in each signature, and takes it for more than a hint"
