#!/usr/bin/env bash
# Guessed: Two Python libraries that read in-toto statements read every one that the specification (v1) allows: a subject
#          may lack a name, its digests may be of any algorithm, and the predicate may be unset.
# Seen:    Each of these is refused by one of the two. sigstore requires the key "name" in every subject (null will do,
#          and so will "_"), and refuses the whole statement for a gitCommit or a sha1 among the digests, even beside
#          a sha256. in-toto-attestation accepts all of that, but requires a predicate that is not empty: it refuses what
#          sigstore's own builder writes for a statement without one, `"predicate":null`, and also `{}`.
# With:    sigstore 4.5.1, in-toto-attestation 0.9.3 and protobuf 7.36.2 (PyPI).
# Matters: A deployment attested by commit and by image digest in one subject is unreadable for sigstore. A subject that
#          both read has a name and only SHA-2 or SHA-3 digests, with the commit in the predicate.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check sigstore==4.5.1 in-toto-attestation==0.9.3 protobuf==7.36.2
v/bin/python - <<'P'
import json
from google.protobuf.json_format import Parse
from in_toto_attestation.v1.statement import Statement as InToto
from in_toto_attestation.v1.statement_pb2 import Statement as Message
from sigstore.dsse import Statement as Sigstore, StatementBuilder, Subject
from sigstore.errors import Error

def sigstore(text):
    try:
        Sigstore(text)
        return "reads"
    except Error as e:
        assert "malformed in-toto statement" in str(e), e
        return "refuses"
def intoto(text):
    try:
        InToto.copy_from_pb(Parse(text, Message())).validate()
        return "reads"
    except ValueError as e:
        assert "Predicate object required" in str(e), e
        return "refuses"
def statement(subject, **more):
    return json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": [subject],
                       "predicateType": "https://example.org/deployment/v1", **more}).encode()

sha256, commit, some = {"sha256": "ab" * 32}, {"gitCommit": "cd" * 20}, {"predicate": {"environment": "production"}}
built = StatementBuilder([Subject(name="app", digest=sha256)], "https://example.org/deployment/v1").build()._contents
assert b'"predicate":null' in built
cases = [
    ("name, sha256, predicate", statement({"name": "app", "digest": sha256}, **some), "reads", "reads"),
    ("name null", statement({"name": None, "digest": sha256}, **some), "reads", "reads"),
    ("no name", statement({"digest": sha256}, **some), "refuses", "reads"),
    ("gitCommit", statement({"name": "app", "digest": commit}, **some), "refuses", "reads"),
    ("gitCommit beside sha256", statement({"name": "app", "digest": {**sha256, **commit}}, **some), "refuses", "reads"),
    ("sha1 beside sha256", statement({"name": "app", "digest": {**sha256, "sha1": "ef" * 20}}, **some), "refuses", "reads"),
    ("no predicate", statement({"name": "app", "digest": sha256}), "reads", "refuses"),
    ("empty predicate", statement({"name": "app", "digest": sha256}, predicate={}), "reads", "refuses"),
    ("built by sigstore", built, "reads", "refuses"),
]
for what, text, *expected in cases:
    seen = [sigstore(text), intoto(text)]
    print(f"{what:24} sigstore {seen[0]:8} in-toto-attestation {seen[1]}")
    assert seen == expected, what
P
echo "seen: each library refuses statements that the specification allows and the other one reads"
