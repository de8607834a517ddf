#!/usr/bin/env bash
# Guessed: An index with an extension unknown to a library is rejected with an error about the extension, as libgit2
#          does ("unsupported mandatory extension: 'link'" or 'sdir').
# Seen:    dulwich takes the extension for the checksum at the end and reports a checksum mismatch: a corrupt file. The
#          reported checksum starts with 6c696e6b or 73646972, which is "link" or "sdir" in hex.
# With:    dulwich 1.2.21 and pygit2 1.21.0 (PyPI), and the git on this machine.
# Matters: Deleting a corrupt index on this error throws away staged changes; and the fix (`git update-index
#          --no-split-index`, `git sparse-checkout reapply --no-sparse-index`) is not in the message.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check dulwich==1.2.21 pygit2==1.21.0
for r in split sparse; do
  git init -q -b main $r; mkdir $r/in $r/out; echo 1 > $r/in/a; echo 2 > $r/out/b
  git -C $r add .; git -C $r commit -qm one
done
git -C split update-index --split-index
git -C sparse sparse-checkout set --cone --sparse-index in
git -C split fsck --no-progress; git -C sparse fsck --no-progress
test -z "$(git -C split status --porcelain)$(git -C sparse status --porcelain)"
v/bin/python - <<'P'
import pygit2
from dulwich.errors import ChecksumMismatch
from dulwich.repo import Repo
for name, mark in (("split", "link"), ("sparse", "sdir")):
    try:
        list(pygit2.Repository(name).index)
        raise SystemExit("changed: libgit2 reads it")
    except pygit2.GitError as e:
        print(f"{name}: libgit2: {e}")
        assert mark in str(e)
    try:
        Repo(name).open_index()
        raise SystemExit("changed: dulwich reads it")
    except ChecksumMismatch as e:
        print(f"{name}: dulwich: {e}")
        assert e.got.startswith(mark.encode().hex()), e.got
P
echo "seen: dulwich calls a valid split or sparse index corrupt"
