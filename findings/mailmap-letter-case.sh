#!/usr/bin/env bash
# Guessed: Every reader of .mailmap matches names and addresses case-insensitively, as git documents.
# Seen:    git does; libgit2 and dulwich compare bytes, so `<OLD@example.org>` in the file does not match
#          `old@example.org` in a commit (nor the other way round), and the name "Nick" does not match "nick".
# With:    pygit2 1.21.0 (libgit2 1.9.7) and dulwich 1.2.21 (PyPI), and the git on this machine.
# Matters: The author of a deployment, or its possible approvers, differ between `git shortlog` and an in-process tool.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0 dulwich==1.2.21
git init -q r; cd r
cat > .mailmap <<'M'
Proper Name <proper@example.org> <OLD@example.org>
Second Name <second@example.org> Nick <two@example.org>
M
../v/bin/python - <<'P'
import subprocess, pygit2
from dulwich.mailmap import Mailmap
lib, dul = pygit2.Mailmap.from_repository(pygit2.Repository(".")), Mailmap.from_path(".mailmap")
cases = [("A", "OLD@example.org", True), ("A", "old@example.org", False), ("Nick", "two@example.org", True), ("nick", "two@example.org", False)]
for name, mail, same in cases:
    who = f"{name} <{mail}>"
    g = subprocess.run(["git", "check-mailmap", who], check=True, capture_output=True, text=True).stdout.strip()
    l = "{} <{}>".format(*lib.resolve(name, mail))
    d = dul.lookup(who.encode()).decode()
    print(f"{who}: git {g}, libgit2 {l}, dulwich {d}")
    assert g != who, "git maps it"
    assert (l == g) == same and (d == g) == same, who
    assert same or (l == who and d == who), who
P
echo "seen: only git ignores letter case in a mailmap"
