#!/usr/bin/env bash
# Guessed: pymerkle's proofs of consistency hold the hashes of PROOF(m, D[n]) of RFC 6962 and 9162, as its roots and its
#          proofs of inclusion do (those are the leaf's hash and then the RFC's path): its source names RFC 9162.
# Seen:    For none of 780 pairs of sizes is the path the RFC's, and for 361 of them it lacks a hash that the RFC's has.
#          Where the RFC takes the root of all that is new, pymerkle goes down to the first new leaf: from 4 to 8 the
#          RFC's path is one hash, and pymerkle's is leaf 5, leaf 6, the root of 7 and 8, and the root of 1 to 4. From 3
#          to 7 the four hashes are the same, with the first two exchanged. A verifier of the RFC accepts none of them.
# With:    pymerkle 7.0.0 and, to verify by RFC 9162, tlog-scales 0.0.3 with cryptography 50.0.2 (PyPI).
# Matters: An auditor with pymerkle can check a log's root and its proofs of inclusion, but not its proofs of
#          consistency, and Go, Rust and witnesses cannot check pymerkle's; the missing hashes must be computed first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pymerkle==7.0.0 tlog-scales==0.0.3 cryptography==50.0.2
v/bin/python - <<'P'
from hashlib import sha256
from pymerkle import InmemoryTree, verify_consistency
from tlog_scales.tlog import ConsistencyProof, ConsistencyProofInvalid

lines = [b'{"line":%d}' % i for i in range(40)]
tree = InmemoryTree(algorithm="sha256")
for line in lines:
    tree.append_entry(line)

def split(n):  # the largest power of two below n
    return 1 << (n - 1).bit_length() - 1
def root(d):
    if len(d) == 1:
        return sha256(b"\0" + d[0]).digest()
    k = split(len(d))
    return sha256(b"\1" + root(d[:k]) + root(d[k:])).digest()
def inclusion(i, d):
    if len(d) == 1:
        return []
    k = split(len(d))
    return inclusion(i, d[:k]) + [root(d[k:])] if i < k else inclusion(i - k, d[k:]) + [root(d[:k])]
def consistency(m, d, whole=True):
    if m == len(d):
        return [] if whole else [root(d)]
    k = split(len(d))
    if m <= k:
        return consistency(m, d[:k], whole) + [root(d[k:])]
    return consistency(m - k, d[k:], False) + [root(d[:k])]
def accepted(m, n, path):  # by the algorithm of RFC 9162
    try:
        ConsistencyProof(m, n, list(path)).check(root(lines[:m]), root(lines[:n]))
        return True
    except ConsistencyProofInvalid:
        return False

pairs = [(m, n) for n in range(2, 41) for m in range(1, n)]
for n in range(1, 41):
    assert tree.get_root(n) == root(lines[:n])
    for i in range(n):
        assert tree.prove_inclusion(i + 1, n).path == [root([lines[i]])] + inclusion(i, lines[:n])
print("roots and proofs of inclusion: as in the RFC")
same = lacking = theirs = rfcs = 0
for m, n in pairs:
    proof, path = tree.prove_consistency(m, n), consistency(m, lines[:n])
    verify_consistency(root(lines[:m]), root(lines[:n]), proof, prior_size=m, later_size=n)
    same += proof.path in (path, [root(lines[:m])] + path)
    lacking += not set(path) <= set(proof.path)
    theirs += accepted(m, n, proof.path)
    rfcs += accepted(m, n, path)
print(f"proofs of consistency: {len(pairs)}; the RFC's path {same}, without one of its hashes {lacking}")
print(f"a verifier of the RFC accepts {rfcs} of the RFC's and {theirs} of pymerkle's")
for m, n in [(4, 8), (3, 7)]:
    names = {root(lines[a:b]): f"{a + 1}-{b}" for a in range(n) for b in range(a + 1, n + 1)}
    print(f"{m} to {n}: RFC", *map(names.get, consistency(m, lines[:n])), " pymerkle", *map(names.get, tree.prove_consistency(m, n).path))
assert (len(pairs), same, lacking, rfcs, theirs) == (780, 0, 361, 780, 0)
P
echo "seen: pymerkle's proofs of consistency are of another kind than the RFC's"
