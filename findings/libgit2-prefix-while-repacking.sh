#!/usr/bin/env bash
# Guessed: An abbreviated commit id that two commits share is ambiguous for a reader that stays open (pygit2 Repository),
#          whatever happens to the packs: libgit2 lists the packs again when one of them is gone.
# Seen:    Not after `git repack`. libgit2 skips a pack that is gone, and lists the packs again only if it finds nothing
#          at all. If the reader has read one of the two commits, and so holds its old pack open, the abbreviated id
#          names that commit, as if unique: two readers that read different commits get different answers. It stays so
#          until the reader looks up an object in no pack; from then on, the id is ambiguous. It is ambiguous
#          throughout for a reader that has read neither, without the repack, and in git, including an open
#          `git cat-file --batch-check`.
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7) and git 2.47.3, 2026-11.
# Matters: A deployment by abbreviated commit id can go to the wrong commit instead of being refused. Ask git, or refresh
#          (`Odb.refresh`, `git_odb_refresh`) before resolving one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
v/bin/python -c 'import pygit2; print([n for n in dir(pygit2.Odb) if n[0]!="_"])'
