#!/usr/bin/env bash
# Guessed: One side replaces a folder by a file, a symbolic link or a submodule, and the other side adds a file to that folder.
#          No tree can have both, so a merge is a conflict everywhere, as for git; at worst a library raises an error.
# Seen:    To libgit2 it is a clean merge: it keeps the new file in the folder, and what took the folder's place is gone. So
#          a folder that became a submodule is a folder again, with only the new file in it. If the other side edits a file
#          of the folder instead, libgit2 does report a conflict. isomorphic-git merges without a conflict too, and writes
#          a tree that calls the folder a file, a link or a submodule, which `git fsck` reports.
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7), isomorphic-git 1.44.19 (npm), and the git on this machine.
# Matters: A tool that merges with either to test or land a pull request reports success for a tree that lacks what was
#          merged before, while a host that uses git reports a conflict.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
npm install --silent --no-audit --no-fund --prefix "$work" isomorphic-git@1.44.19 >/dev/null
cat > merge.mjs <<'J'
import fs from "node:fs"; import git from "isomorphic-git";
const [gitdir, ours, theirs] = process.argv.slice(2), at = { fs, gitdir }, author = { name: "a", email: "a@example.org", timestamp: 1700000000, timezoneOffset: 0 };
for (const [ref, value] of [["x", ours], ["y", theirs]]) await git.writeRef({ ...at, ref: "refs/heads/" + ref, value, force: true });
try {
  const { oid } = await git.merge({ ...at, ours: "x", theirs: "y", author, committer: author, message: "m", noUpdateBranch: true });
  console.log((await git.readCommit({ ...at, oid })).commit.tree);
} catch (e) {
  if (e.code !== "MergeConflictError") throw e;
  console.log("conflict");
}
J
v/bin/python - <<'P'
import subprocess, pygit2
print("libgit2", pygit2.LIBGIT2_VERSION)
repo = pygit2.init_repository("r", bare=True)
who = pygit2.Signature("a", "a@example.org", 1700000000, 0)
FILE, LINK, MODULE = 0o100644, 0o120000, 0o160000
def run(*command, codes=(0,)):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in codes, done
    return done.stdout + (done.stderr if command[3] == "fsck" else "")
def commit(files, *parents):
    index = pygit2.Index()
    for path, (mode, text) in files.items():
        id = pygit2.Oid(hex=text) if mode == MODULE else repo.create_blob(text.encode())
        index.add(pygit2.IndexEntry(path, id, mode))
    return str(repo.create_commit(None, who, who, "m", index.write_tree(repo), list(parents)))
def paths(tree): return run("git", "-C", "r", "ls-tree", "-r", "--name-only", tree).split()
def merge(base, ours, theirs):
    base = commit(base)
    ours, theirs = commit(ours, base), commit(theirs, base)
    said = run("git", "-C", "r", "merge-tree", "--write-tree", "--no-messages", ours, theirs, codes=(0, 1)).split()
    out = {"git": said[0] if len(said) == 1 else "conflict"}
    index = repo.merge_commits(ours, theirs)
    out["libgit2"] = "conflict" if index.conflicts else str(index.write_tree(repo))
    out["isomorphic-git"] = run("node", "merge.mjs", "r", ours, theirs).strip()
    return out
top, lib = ("readme", (FILE, "r\n")), ("lib/a", (FILE, "a\n" * 9))
new = {**dict([top, lib]), "lib/new": (FILE, "new\n")}
for name, entry in {"file": (FILE, "other\n" * 9), "symbolic link": (LINK, "readme"), "submodule": (MODULE, "0" * 39 + "1")}.items():
    for turned in False, True:
        sides = [dict([top, ("lib", entry)]), new]
        seen = merge(dict([top, lib]), *(reversed(sides) if turned else sides))
        assert seen["git"] == "conflict"
        kept = paths(seen["libgit2"])
        print(f"folder became a {name}: git {seen['git']}, libgit2 merges to {kept}")
        assert kept == ["lib/new", "readme"], kept
        broken = [line for line in run("git", "-C", "r", "ls-tree", seen["isomorphic-git"]).splitlines() if line.endswith("\tlib")][0].split()
        real = run("git", "-C", "r", "cat-file", "-t", broken[2]).strip()
        print(f"  isomorphic-git: the entry `lib` has mode {broken[0]} ({broken[1]}), its object is a {real}")
        assert broken[1] != "tree" and real == "tree", broken
faults = [line for line in run("git", "-C", "r", "fsck", codes=range(256)).splitlines() if "broken links" in line]
print("git fsck:", faults[0])
edited = merge(dict([top, lib]), dict([top, ("lib", (FILE, "other\n" * 9))]), {**dict([top]), "lib/a": (FILE, "a\n" * 10)})
print("the other side edits a file of the folder:", edited)
assert set(edited.values()) == {"conflict"}
P
echo "seen: libgit2 merges without a conflict and drops what replaced the folder"
