#!/usr/bin/env bash
# Guessed: dulwich's patch.commit_patch_id identifies a change as `git patch-id --stable` does, or at least
#          distinguishes different changes.
# Seen:    It agrees with git for none of these commits, and every commit that only changes modes, only changes a binary
#          file or only adds an empty file gets da39a3ee..., the SHA-1 of nothing.
# With:    dulwich 1.2.21 (PyPI) and the git on this machine.
# Matters: A product that recognizes "the same change" across a rebase by patch id would take a `chmod +x` for a change
#          of an image, and could not share the ids with anything that uses git.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check dulwich==1.2.21
git init -q -b main r; cd r
seq 1 30 > text; printf 'a\0b' > image; echo run > tool; echo run > other; git add .; git commit -qm base
sed -i 's/^15$/fifteen/' text; git commit -qam text
chmod +x tool; git commit -qam chmod-tool
chmod +x other; git commit -qam chmod-other
printf 'a\0c' > image; git commit -qam binary
: > empty; git add .; git commit -qm empty-file
../v/bin/python - <<'P'
import subprocess
from dulwich.patch import commit_patch_id
from dulwich.repo import Repo
def git(*args, data=None):
    return subprocess.run(["git", *args], input=data, check=True, capture_output=True).stdout
repo, ours, theirs = Repo("."), {}, {}
for line in git("log", "--format=%H %s", "-5").decode().splitlines():
    sha, subject = line.split()
    theirs[subject] = git("patch-id", "--stable", data=git("diff-tree", "-p", sha)).decode().split()[0]
    ours[subject] = commit_patch_id(repo.object_store, sha.encode()).decode()
    print(f"{subject:12} git {theirs[subject][:12]}  dulwich {ours[subject][:12]}")
repo.close()
assert len(set(theirs.values())) == 5, "git tells the five apart"
assert all(ours[s] != theirs[s] for s in ours), "dulwich now agrees with git"
nothing = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
assert {s for s in ours if ours[s] == nothing} == {"chmod-tool", "chmod-other", "binary", "empty-file"}, ours
P
echo "seen: four different changes share one dulwich patch id, and none equals git's"
