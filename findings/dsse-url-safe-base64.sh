#!/usr/bin/env bash
# Guessed: DSSE allows both alphabets of base64, the standard one and the URL-safe one with - and _, so a reader of envelopes takes
#          both, or refuses the second with an error. Padding is needed.
# Seen:    sigstore-models, with which sigstore (PyPI) reads bundles and envelopes, takes a payload with - and _ without an
#          error and leaves these characters out: what it returns is shorter than what was signed, with all
#          that follows shifted. That is so if there are four of them; with one, the length is refused. Only a
#          payload that happens to have neither is right. securesystemslib (in-toto) takes both alphabets, but needs
#          the padding; @sigstore/verify takes both, with and without, and verifies Ed25519 in each.
# With:    sigstore-models 0.0.6, securesystemslib 1.6.0, cryptography 50.0.2 (PyPI); @sigstore/bundle 5.0.1 and
#          @sigstore/verify 4.1.3 (npm).
# Matters: An envelope must be written in the standard alphabet with padding, the one form that all read. A reader must take
#          both, and must not skip characters it does not know: else a right signature looks like a forged one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check sigstore-models==0.0.6 securesystemslib==1.6.0 cryptography==50.0.2
npm install --silent --no-audit --no-fund --prefix "$work" @sigstore/bundle@5.0.1 @sigstore/verify@4.1.3 >/dev/null
cat >envelopes.py <<'P'
import base64, json
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from sigstore_models.intoto import Envelope as Model
kind = "application/vnd.in-toto+json"
def statement(why):
    return json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "app", "digest": {"sha256": "ab" * 32}}],
                       "predicateType": "https://example.org/deployment/v1", "predicate": {"why": why}}).encode()
key = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
public = SSlibKey.from_crypto(key.public_key())
def count(text):
    return sum(text.count(c) for c in "-_")
def signed(payload):
    return key.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
def envelope(payload, encode, padding=True):
    text = lambda b: encode(b).decode() if padding else encode(b).decode().rstrip("=")
    return {"payload": text(payload), "payloadType": kind, "signatures": [{"keyid": public.keyid, "sig": text(signed(payload))}]}
def look(read):
    try:
        return read()
    except ValueError as e:
        assert "base64" in str(e) or "padding" in str(e), e
        return "refused"
def model(document, payload, signature):
    m = Model.from_json(json.dumps(document))
    return "right" if (m.payload, m.signatures[0].sig) == (payload, signature) else f"payload of {len(m.payload)} bytes"
def library(document, payload):
    e = Envelope.from_dict(json.loads(json.dumps(document)))
    return f"{'right' if e.payload == payload else 'wrong'}, {len(e.verify([public], 1))} accepted"
texts = {}
for filler in range(4000):   # what is said must give such texts, and a signature without - and _
    payload = statement("?" * (filler % 13) + "x" * (filler // 13))
    if len(payload) % 3 and not count(base64.urlsafe_b64encode(signed(payload)).decode()):
        n = count(base64.urlsafe_b64encode(payload).decode())
        texts.setdefault("no - or _" if n == 0 else "four - or _" if n == 4 else "one - or _" if n == 1 else "", payload)
cases, rows = {}, {}
for name in ("no - or _", "one - or _", "four - or _"):
    payload = texts[name]
    for form, e in {"standard": envelope(payload, base64.b64encode), "URL-safe": envelope(payload, base64.urlsafe_b64encode), "URL-safe, no padding": envelope(payload, base64.urlsafe_b64encode, False)}.items():
        cases[f"{name}, {form}"] = {"envelope": e, "payload": payload.decode()}
        rows[name, form] = look(lambda: model(e, payload, signed(payload))), look(lambda: library(e, payload))
        print(f"{name + ', ' + form:34} {len(payload)} bytes: sigstore-models: {rows[name, form][0]:22} securesystemslib: {rows[name, form][1]}")
for (name, form), seen in rows.items():
    short = f"payload of {len(texts[name]) - 3} bytes"
    want = {"no - or _": "right", "one - or _": "refused", "four - or _": short}[name] if form == "URL-safe" else "right"
    assert seen == (("refused",) * 2 if "no padding" in form else (want, "right, 1 accepted")), (name, form)
with open("cases.json", "w") as f:
    json.dump({"cases": cases, "pem": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()}, f)
P
v/bin/python envelopes.py
cat >verify.js <<'J'
const assert = require("assert"), crypto = require("crypto"), { cases, pem } = require("./cases.json");
const { bundleFromJSON } = require("@sigstore/bundle"), { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");
const root = { mediaType: "", tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
const verifier = new Verifier(toTrustMaterial(root, () => ({ publicKey: crypto.createPublicKey(pem), validFor: () => true })), { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
for (const { envelope, payload } of Object.values(cases)) {
  const bundle = bundleFromJSON({ mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", verificationMaterial: { publicKey: { hint: "" }, tlogEntries: [] }, dsseEnvelope: envelope });
  assert.equal(bundle.content.dsseEnvelope.payload.toString(), payload);
  verifier.verify(toSignedEntity(bundle));
}
const [[name, { envelope }]] = Object.entries(cases).slice(-1);   // a changed payload must not verify
const changed = { ...envelope, payload: Buffer.from("{}").toString("base64") };
assert.throws(() => verifier.verify(toSignedEntity(bundleFromJSON({ mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", verificationMaterial: { publicKey: { hint: "" }, tlogEntries: [] }, dsseEnvelope: changed }))));
console.log(`@sigstore/verify: all ${Object.keys(cases).length} verified, and none with a changed payload`);
J
node verify.js
echo "seen: a reader of envelopes leaves out the characters of URL-safe base64"
