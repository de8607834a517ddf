#!/usr/bin/env bash
# Guessed: A partial clone has extensions.partialClone, so libgit2 refuses to open it; and a library that lacks a blob
#          raises an error.
# Seen:    git writes only remote.origin.promisor beside version 1. libgit2 opens the repository as a complete one
#          (is_shallow is False, history and the list of changed files work even with --filter=tree:0 or blob:none) and
#          fails only at the first missing object. dulwich's archive does not fail at all: it omits the missing file.
# With:    pygit2 1.21.0 (libgit2 1.9.7) and dulwich 1.2.21 (PyPI), and the git on this machine.
# Matters: A packer that reads a source in-process passes all checks of the repository and then packs, or claims to have
#          packed, an incomplete commit.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0 dulwich==1.2.21
git init -q -b main src; git -C src config uploadpack.allowFilter true
for n in 1 2 3; do echo "version $n" > src/app; echo same > src/keep; git -C src add .; git -C src commit -qm "c$n"; done
git clone -q --filter=blob:none "file://$work/src" blobless
git clone -q --filter=tree:0 --no-checkout "file://$work/src" treeless
echo "config: $(git -C blobless config --get-regexp 'core.repositoryformatversion|promisor|extensions' | tr '\n' ';')"
if git -C blobless config --get-regexp '^extensions\.' ; then echo "changed: an extension is recorded"; exit 1; fi
v/bin/python - <<'P'
import io, tarfile, pygit2
from dulwich import porcelain
repo = pygit2.Repository("blobless")
head = repo.head.peel(); old = head.parents[0]
assert not repo.is_shallow and len(list(repo.walk(head.id))) == 3
diff = old.tree.diff_to_tree(head.tree)
assert [d.new_file.path for d in diff.deltas] == ["app"]
try:
    diff.patch
    raise SystemExit("changed: libgit2 read a blob that is not there")
except Exception as e:
    print("libgit2 opens, walks, lists the change, then:", type(e).__name__, e)
bare = pygit2.Repository("treeless")
assert len(list(bare.walk(bare.head.target))) == 3
out = io.BytesIO()
porcelain.archive("blobless", str(old.id), outstream=out)
names = tarfile.open(fileobj=io.BytesIO(out.getvalue())).getnames()
print("tree of the older commit:", [e.name for e in old.tree], "- dulwich archive:", names)
assert [e.name for e in old.tree] == ["app", "keep"] and names == ["keep"], names
P
echo "seen: libgit2 takes a partial clone for a whole one, dulwich archives it without the missing file"
