#!/usr/bin/env bash
# Guessed: Where dulwich merges without a conflict, the tree is that of git, apart from renames, which it does not follow. A file
#          whose mode one side changed has the new mode, and is a conflict if the other side deleted it.
# Seen:    If the two sides together delete the last files of a folder, the merge commit keeps the folder as an empty tree. Every
#          file is as git has it, and `git diff` between the two trees shows nothing, but their ids differ. A `chmod +x` is a
#          conflict for dulwich if the other side did not touch the file, and none if the other side deleted it: then it is
#          gone. git does the opposite in both cases.
# With:    dulwich 1.2.21, merge3 1.0.0 (PyPI) and the git on this machine.
# Matters: Comparing tree ids is the fast way to say "what landed is what was tested". A merge by dulwich is never equal
#          to one by git there, and no diff shows why.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check dulwich==1.2.21 merge3==1.0.0
# repository NAME, what `x` does, what `y` does
repository() {
  git init -q -b base "$1"; mkdir "$1/old"
  for file in old/a old/b run readme; do echo "$file" > "$1/$file"; done
  git -C "$1" add .; git -C "$1" commit -qm base
  git -C "$1" checkout -q -b x; (cd "$1" && eval "$2"); git -C "$1" commit -qam x
  git -C "$1" checkout -q -b y base; (cd "$1" && eval "$3"); git -C "$1" commit -qam y
  git -C "$1" checkout -q x
}
repository folder 'git rm -q old/a' 'git rm -q old/b'
repository mode 'chmod +x run' 'echo more >> readme'
repository deleted 'chmod +x run' 'git rm -q run'
v/bin/python - <<'P'
import subprocess
from dulwich import porcelain
from dulwich.repo import Repo
def git(name, *what, codes=(0,)):
    done = subprocess.run(["git", "-C", name, *what], capture_output=True, text=True)
    assert done.returncode in codes, done
    return done
seen = {}
for name in "folder", "mode", "deleted":
    done = git(name, "merge-tree", "--write-tree", "--no-messages", "x", "y", codes=(0, 1))
    ours = done.stdout.strip() if done.returncode == 0 else "conflict"
    id, conflicts = porcelain.merge(name, b"y", author=b"a <a@example.org>", committer=b"a <a@example.org>")
    theirs = "conflict" if conflicts else Repo(name)[id].tree.decode()
    seen[name] = ours, theirs
    print(f"{name:8} git {ours[:12]}  dulwich {theirs[:12]}")
    for who, tree in ("git", ours), ("dulwich", theirs):
        if tree != "conflict": print("  ", who, git(name, "ls-tree", tree).stdout.replace("\t", " ").strip().split("\n"))
ours, theirs = seen["folder"]
assert "conflict" not in (ours, theirs) and ours != theirs, "the trees are now equal"
assert git("folder", "diff", "--raw", ours, theirs).stdout == "", "a file differs"
empty = git("folder", "hash-object", "-t", "tree", "/dev/null").stdout.strip()
assert f"040000 tree {empty}\told" in git("folder", "ls-tree", theirs).stdout
assert seen["mode"][0] != "conflict" and seen["mode"][1] == "conflict"
assert seen["deleted"][0] == "conflict" and seen["deleted"][1] != "conflict"
assert "run" not in git("deleted", "ls-tree", "--name-only", seen["deleted"][1]).stdout.split()
P
echo "seen: dulwich's merge keeps an empty folder, and so another tree id"
