#!/usr/bin/env bash
# Guessed: libgit2's trailers (pygit2 Commit.message_trailers) are those that `git log --format=%(trailers)` prints. They
#          are for a message whose last paragraph is trailers, and for GitHub's squash merges with their line of dashes.
# Seen:    Not below a line `---`, such as the rule in a Markdown description that became the message: libgit2 ends the
#          message there and finds none, while git prints them. And pygit2 keeps only the last of several co-authors.
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7) and the git on this machine.
# Matters: A tool that asks libgit2 for the co-authors of a commit misses some, and may let them approve their own work.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
git init -q -b main r; cd r
commit() { git commit -q --allow-empty -m "$(printf "$1")"; }
commit 'plain\n\nText.\n\nCo-authored-by: B <b@example.org>'
commit 'squash\n\n* one\n\n* two\n\n---------\n\nCo-authored-by: B <b@example.org>'
commit 'rule\n\nText.\n\n---\n\nMore text.\n\nCo-authored-by: B <b@example.org>'
commit 'several\n\nText.\n\nCo-authored-by: B <b@example.org>\nCo-authored-by: C <c@example.org>'
../v/bin/python - <<'P'
import subprocess, pygit2
print("libgit2", pygit2.LIBGIT2_VERSION)
lib, ref = {}, {}
repo = pygit2.Repository(".")
for commit in repo.walk(repo.head.target):
    subject = commit.message.split("\n")[0]
    lib[subject] = [f"{key}: {value}" for key, value in commit.message_trailers.items()]
    shown = ["git", "log", "-1", "--format=%(trailers:only)", str(commit.id)]
    ref[subject] = subprocess.run(shown, check=True, capture_output=True, text=True).stdout.split("\n")
    ref[subject] = [line for line in ref[subject] if line]
    print(f"{subject:8} git {ref[subject]}  libgit2 {lib[subject]}")
assert lib["plain"] == ref["plain"] == ["Co-authored-by: B <b@example.org>"]
assert lib["squash"] == ref["squash"] and len(ref["squash"]) == 1
assert len(ref["rule"]) == 1, "git no longer finds what is below the rule"
assert lib["rule"] == [], "libgit2 now finds what is below the rule"
assert len(ref["several"]) == 2 and lib["several"] == ref["several"][1:], "pygit2 now keeps all co-authors"
P
echo "seen: libgit2 finds no trailer below a line of three dashes"
