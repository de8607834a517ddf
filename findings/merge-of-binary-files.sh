#!/usr/bin/env bash
# Guessed: If both sides changed a binary file, every implementation of git reports a conflict, at the latest if .gitattributes
#          says `binary` or `-merge`.
# Seen:    Not dulwich and isomorphic-git: they merge the bytes between line feeds as lines of text, zero bytes or not, and
#          ignore both attributes. dulwich reads .gitattributes for that merge, and takes `-merge` for no statement at all.
#          The result is a file that neither side has seen, committed without a conflict. libgit2 reports a conflict for a
#          zero byte; of the attributes, it obeys those in the work tree or the index, so in a bare repository none.
# With:    dulwich 1.2.21, merge3 1.0.0, pygit2 1.21.0 (PyPI, libgit2 1.9.7), isomorphic-git 1.44.19 (npm), and the git on
#          this machine.
# Matters: A bot that merges with them lands images, databases and archives, or lock files (`*.lock -merge`), that nobody
#          made and no test has read; git leaves them to a person.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0 dulwich==1.2.21 merge3==1.0.0
npm install --silent --no-audit --no-fund --prefix "$work" isomorphic-git@1.44.19 >/dev/null
cat > merge.mjs <<'J'
import fs from "node:fs"; import git from "isomorphic-git";
const at = { fs, dir: process.argv[2] }, author = { name: "a", email: "a@example.org" };
try {
  const { oid } = await git.merge({ ...at, ours: "x", theirs: "y", author, committer: author, message: "m", noUpdateBranch: true });
  console.log((await git.readCommit({ ...at, oid })).commit.tree);
} catch (e) {
  if (e.code !== "MergeConflictError") throw e;
  console.log("conflict");
}
J
# repository NAME, FILE, ATTRIBUTES, and its contents in base, x and y
repository() {
  git init -q -b base "$1"; echo "$3" > "$1/.gitattributes"
  printf "$4" > "$1/$2"; git -C "$1" add .; git -C "$1" commit -qm base
  git -C "$1" checkout -q -b x; printf "$5" > "$1/$2"; git -C "$1" commit -qam x
  git -C "$1" checkout -q -b y base; printf "$6" > "$1/$2"; git -C "$1" commit -qam y
  git -C "$1" checkout -q x
}
repository zero image '' '1\n2\n\0003\n4\n5\n' 'ONE\n2\n\0003\n4\n5\n' '1\n2\n\0003\n4\nFIVE\n'
repository binary image 'image binary' '1\n2\n\0003\n4\n5\n' 'ONE\n2\n\0003\n4\n5\n' '1\n2\n\0003\n4\nFIVE\n'
repository no-merge app.lock '*.lock -merge' '1\n2\n3\n4\n5\n' 'ONE\n2\n3\n4\n5\n' '1\n2\n3\n4\nFIVE\n'
for name in zero binary no-merge; do git clone -q --bare "$name" "$name.git"; done
v/bin/python - <<'P'
import subprocess, pygit2
from dulwich import porcelain
from dulwich.repo import Repo
print("libgit2", pygit2.LIBGIT2_VERSION)
for name, file, merged in ("zero", "image", b"ONE\n2\n\x003\n4\nFIVE\n"), ("binary", "image", b"ONE\n2\n\x003\n4\nFIVE\n"), ("no-merge", "app.lock", b"ONE\n2\n3\n4\nFIVE\n"):
    def content(tree): return subprocess.run(["git", "-C", name, "cat-file", "blob", f"{tree}:{file}"], check=True, capture_output=True).stdout
    seen = {}
    done = subprocess.run(["git", "-C", name, "merge-tree", "--write-tree", "--no-messages", "x", "y"], capture_output=True, text=True)
    seen["git"] = {0: done.stdout.strip(), 1: "conflict"}[done.returncode]
    for which in name, name + ".git":
        repo = pygit2.Repository(which)
        index = repo.merge_commits(repo.branches["x"].target, repo.branches["y"].target)
        seen["libgit2" + " bare" * which.endswith(".git")] = "conflict" if index.conflicts else "clean"
    seen["isomorphic-git"] = subprocess.run(["node", "merge.mjs", name], check=True, capture_output=True, text=True).stdout.strip()
    id, conflicts = porcelain.merge(name, b"y", author=b"a <a@example.org>", committer=b"a <a@example.org>")
    seen["dulwich"] = "conflict" if conflicts else Repo(name)[id].tree.decode()
    for which in "isomorphic-git", "dulwich":
        assert content(seen[which]) == merged, (name, which, seen[which])
        seen[which] = "clean"
    print(f"{name:9}", seen)
    assert seen["git"] == seen["libgit2"] == "conflict"
    assert seen["libgit2 bare"] == ("clean" if name == "no-merge" else "conflict"), seen
P
echo "seen: dulwich and isomorphic-git merge binary files and files with -merge line by line"
