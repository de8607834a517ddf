#!/usr/bin/env bash
# Guessed: An Ed25519 key that ed25519-dalek, ring or aws-lc-rs writes as PKCS#8 is read wherever keys of `openssl genpkey`
#          are, at the latest by a library of 2026. By default the three write version 2 of the format (RFC 5958), with
#          the public key after the private one.
# Seen:    openssl 3.0, Node.js 20 (also Web Crypto, and so jose) and Python's newest cryptography, which carries OpenSSL
#          4.0.3, refuse it, the last as "incorrect format", while pycryptodome and sshpk, which need no OpenSSL, read it.
#          The same key without the public part, version 1, is read by all.
# With:    cryptography 50.0.2, pycryptodome 4.4.0 (PyPI); jose 6.2.18, sshpk 1.18.0 (npm); openssl 3.0.19 and
#          Node.js 20.20 (Debian 12). The form is that of ed25519-dalek 3.0.0, ring 0.17.14 and aws-lc-rs 1.19.0.
# Matters: A key for signing an audit log is kept in a safe for years. As the Rust libraries write it, openssl neither
#          signs with it nor derives its public key; version 1 is aws-lc-rs's `generate_pkcs8v1`, and in ed25519-dalek
#          `KeypairBytes` with `public_key: None`.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check cryptography==50.0.2 pycryptodome==4.4.0
npm install --silent --no-audit --no-fund --prefix "$work" jose@6.2.18 sshpk@1.18.0 >/dev/null
openssl genpkey -algorithm ed25519 -out v1.pem
v/bin/python - <<'P'
import base64
from cryptography.hazmat.primitives.serialization import load_pem_private_key
key = load_pem_private_key(open("v1.pem", "rb").read(), None)
ed25519 = bytes.fromhex("300506032b6570")
body = b"\x02\1\1" + ed25519 + b"\x04\x22\x04\x20" + key.private_bytes_raw() + b"\x81\x21\0" + key.public_key().public_bytes_raw()
der = b"\x30" + bytes([len(body)]) + body
with open("v2.pem", "w") as f:
    print("-----BEGIN PRIVATE KEY-----", *base64.encodebytes(der).decode().split(), "-----END PRIVATE KEY-----", sep="\n", file=f)
P
cat > read.mjs <<'J'
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { importPKCS8 } from 'jose';
import sshpk from 'sshpk';
const [reader, file] = process.argv.slice(2), pem = readFileSync(file, 'utf8');
const readers = { node: () => createPrivateKey(pem), jose: () => importPKCS8(pem, 'EdDSA'), sshpk: () => sshpk.parsePrivateKey(pem, 'pem') };
await readers[reader]();
J
cat > read.py <<'P'
import sys
reader, pem = sys.argv[1], open(sys.argv[2], "rb").read()
if reader == "cryptography":
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    load_pem_private_key(pem, None)
else:
    from Crypto.PublicKey import ECC
    assert ECC.import_key(pem.decode()).curve == "Ed25519"
P
openssl version; node --version
v/bin/python -c 'from cryptography.hazmat.backends.openssl import backend; print("in cryptography:", backend.openssl_version_text())'
openssl asn1parse -in v2.pem >/dev/null && echo "v2.pem is well-formed"
check() { # what is expected of version 2, the reader's name, its command but for the file
  local want=$1 name=$2 file seen; shift 2
  for file in v1.pem v2.pem; do
    if "$@" "$file" >/dev/null 2>&1; then seen=reads; else seen=refuses; fi
    printf '%-13s %-8s %s\n' "$name" "$seen" "$file"
    if [ "$file" = v2.pem ]; then [ "$seen" = "$want" ]; else [ "$seen" = reads ]; fi
  done
}
check refuses openssl openssl pkey -noout -in
check refuses node node read.mjs node
check refuses jose node read.mjs jose
check refuses cryptography v/bin/python read.py cryptography
check reads pycryptodome v/bin/python read.py pycryptodome
check reads sshpk node read.mjs sshpk
echo "seen: what Rust writes by default, openssl, Node.js and cryptography refuse"
