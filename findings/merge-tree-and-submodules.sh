#!/usr/bin/env bash
# Guessed: What `git merge-tree --write-tree` makes of two commits depends on the two commits, the configuration and the
#          attributes. It touches no work tree, so it does not matter where it runs.
# Seen:    Both sides moved a submodule, one of them further along the same history. In a clone whose submodule is checked out,
#          merge-tree takes the newer commit and exits with 0, as `git merge` does: it looks into the repository of the
#          submodule. In a bare repository, and in a clone without its submodules, the same two commits are a conflict, and
#          `git merge` in such a clone says so too. libgit2 has a conflict everywhere.
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7) and the git on this machine.
# Matters: A merge queue on a server reports conflicts that nobody can reproduce: a person's `git merge` is clean. Two
#          machines disagree on the same merge.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
git init -q -b main lib
for number in 1 2 3; do git -C lib commit -q --allow-empty -m "$number"; git -C lib tag "v$number"; done
git init -q -b main app; cd app
git -c protocol.file.allow=always submodule --quiet add ../lib lib
move() { git -C lib checkout -q "$1"; git add lib; git commit -qm "lib $1"; }
move v1; move v2; git checkout -q -b request main~1; git -C lib checkout -q v1; move v3; git checkout -q main; git submodule --quiet update
cd ..; git clone -q --bare app bare.git; git clone -q app alone; git -C alone branch -q request origin/request
merge() { git -C "$1" merge-tree --write-tree --no-messages main request > said && echo "0 $(cat said)" || echo "$? conflict"; }
here=$(merge app) bare=$(merge bare.git) alone=$(merge alone)
printf '%s\n' "submodule checked out: $here" "bare:                  $bare" "without submodules:    $alone"
[ "${here%% *}" = 0 ]; [ "$bare" = "1 conflict" ]; [ "$alone" = "1 conflict" ]
[ "$(git -C app rev-parse "${here#* }:lib")" = "$(git -C lib rev-parse v3)" ]
v/bin/python - <<'P'
import pygit2
for where in "app", "bare.git":
    repo = pygit2.Repository(where)
    index = repo.merge_commits(repo.branches["main"].target, repo.branches["request"].target)
    print("libgit2", where, "conflict" if index.conflicts else "clean")
    assert index.conflicts
P
if git -C alone merge -q -m m request >/dev/null 2>&1; then echo "git merge is clean without the submodule"; exit 1; fi
git -C app merge -q -m m request
[ "$(git -C app rev-parse 'HEAD^{tree}')" = "${here#* }" ]
echo "seen: merge-tree needs the submodule's repository to find a merge"
