#!/usr/bin/env bash
# Guessed: in-toto-attestation's message for a verification summary (VSA v1) reads the summaries that SLSA's specification
#          describes, and ignores fields that it does not know, as in-toto's rules require. Written as JSON again, a
#          document keeps its values.
# Seen:    "verifiedLevels" is a list in the specification and one text in the message: each summary that has it is refused
#          ("expected string or bytes-like object, got 'list'"), and one that the message writes has a text there. Extension
#          fields are refused in the summary, in SLSA's provenance and in the statement, and so is the verifier's "version"
#          (SLSA 1.1). With ignore_unknown_fields they are dropped. Rewritten, the counts in "dependencyLevels" become
#          texts ("5"), a number in a predicate or in externalParameters a float (3 becomes 3.0), and a whole number
#          beyond 2^53 may become another.
# With:    in-toto-attestation 0.9.3 and protobuf 7.36.2 (PyPI).
# Matters: A summary that follows the specification fails in a check with this library, which is then not the summary's
#          fault. Whoever stores what it read has other bytes and other numbers: keep the payload that was signed. Numbers
#          in a predicate that must survive, such as ids of runs, are better texts.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check in-toto-attestation==0.9.3 protobuf==7.36.2
v/bin/python - <<'P'
import json
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.vsa.v1.vsa_pb2 import VerificationSummary
from in_toto_attestation.v1.statement_pb2 import Statement
def read(kind, document, **options):
    try:
        return json.loads(MessageToJson(Parse(json.dumps(document), kind(), **options)))
    except ParseError as e:
        return "refused: " + str(e).split("\n")[0]
def check(what, seen, expected):
    print(f"{what:44} {seen}")
    assert seen == expected or str(seen).endswith(str(expected)), expected
sha256 = {"sha256": "ab" * 32}
bare = {"verifier": {"id": "https://example.org/verifier"}, "timeVerified": "2026-01-01T00:00:00Z", "resourceUri": "pkg:oci/app@1", "verificationResult": "PASSED",
        "policy": {"uri": "https://example.org/policy", "digest": sha256}, "inputAttestations": [{"uri": "https://example.org/provenance", "digest": sha256}], "slsaVersion": "1.0"}
levels = {**bare, "verifiedLevels": ["SLSA_BUILD_LEVEL_3"]}
extended, version = {**bare, "https://example.org/field": "x"}, {**bare, "verifier": {**bare["verifier"], "version": {"katkit": "1"}}}
check("a summary without levels", read(VerificationSummary, bare) == bare, True)
check("with verifiedLevels", read(VerificationSummary, levels), "Failed to parse verifiedLevels field: expected string or bytes-like object, got 'list'.")
check("the same, unknown fields ignored", read(VerificationSummary, levels, ignore_unknown_fields=True), "got 'list'.")
check("verifiedLevels that the message writes", json.loads(MessageToJson(VerificationSummary(verified_levels="SLSA_BUILD_LEVEL_3"))), {"verifiedLevels": "SLSA_BUILD_LEVEL_3"})
check("with an extension field", read(VerificationSummary, extended), 'has no field named "https://example.org/field" at "VerificationSummary".')
check("with the verifier's version", read(VerificationSummary, version), 'has no field named "version" at "VerificationSummary.verifier".')
check("both dropped if unknown fields are ignored", [read(VerificationSummary, d, ignore_unknown_fields=True) == bare for d in (extended, version)], [True] * 2)
counted = read(VerificationSummary, {**bare, "dependencyLevels": {"SLSA_BUILD_LEVEL_3": 5, "SLSA_BUILD_LEVEL_2": 0}})
check("dependencyLevels of 5 and 0, rewritten", dict(sorted(counted["dependencyLevels"].items())), {"SLSA_BUILD_LEVEL_2": "0", "SLSA_BUILD_LEVEL_3": "5"})
provenance = {"buildDefinition": {"buildType": "https://example.org/build/v1", "externalParameters": {"replicas": 3, "run": 9007199254740993}}, "runDetails": {"builder": {"id": "https://example.org/builder"}}}
parameters = read(Provenance, provenance)["buildDefinition"]["externalParameters"]
check("externalParameters, rewritten", json.dumps(dict(sorted(parameters.items()))), '{"replicas": 3.0, "run": 9007199254740992.0}')
check("provenance with an extension field", read(Provenance, {**provenance, "https://example.org/field": 1}), 'has no field named "https://example.org/field" at "Provenance".')
statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "app", "digest": sha256}], "predicateType": "https://example.org/deployment/v1", "predicate": {"replicas": 3}}
check("a predicate, rewritten", json.dumps(read(Statement, statement)["predicate"]), '{"replicas": 3.0}')
check("a statement with an extension field", read(Statement, {**statement, "https://example.org/field": 1}), 'has no field named "https://example.org/field" at "Statement".')
P
echo "seen: the message for summaries cannot read a summary with verified levels, and numbers change on the way"
