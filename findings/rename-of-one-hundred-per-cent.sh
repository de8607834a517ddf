#!/usr/bin/env bash
# Guessed: A rename of 100 % (`R100`) has the same content under another name: "reserved for two equal files", says git's
#          documentation of the format. At the same threshold, libgit2 finds the renames that git finds.
# Seen:    git: a file with all its lines in another order is R100 too, and `--stat` counts its lines. libgit2 ignores
#          whitespace for this by default: a file with another indentation has a similarity of 100, where git sees one file
#          removed and one added. In long files, libgit2 only looks at a sample of the lines: of 500 lines of which 225 are
#          kept, it says 63, and git 43. So in a merge where the other side edited such a file, git has a conflict, and
#          libgit2 merges the edit into the new file. dulwich agrees with git on which are renames. With -M100%
#          (or FIND_EXACT_MATCH_ONLY) a rename does mean an equal file.
# With:    pygit2 1.21.0 (libgit2 1.9.7), dulwich 1.2.21 (PyPI), and the git on this machine.
# Matters: Who skips a build, a review or a test because a change "only renames" misses reordered migrations, and with
#          libgit2 a reindented YAML or Python file. Compare the ids of the two blobs.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0 dulwich==1.2.21
v/bin/python - <<'P'
import subprocess, pygit2
from dulwich.diff_tree import RenameDetector
from dulwich.repo import Repo
from pygit2.enums import DiffFind
print("libgit2", pygit2.LIBGIT2_VERSION)
repo = pygit2.init_repository("r", bare=True)
who = pygit2.Signature("a", "a@example.org", 1700000000, 0)
def commit(files, *parents):
    index = pygit2.Index()
    for path, text in files.items(): index.add(pygit2.IndexEntry(path, repo.create_blob(text.encode()), 0o100644))
    return str(repo.create_commit(None, who, who, "m", index.write_tree(repo), list(parents)))
def git(*what, codes=(0,)):
    done = subprocess.run(["git", "-C", "r", *what], capture_output=True, text=True)
    assert done.returncode in codes, done
    return done.stdout
def by_libgit2(old, new, flags=DiffFind.FIND_RENAMES):
    diff = repo.diff(repo[old], repo[new])
    diff.find_similar(flags, rename_threshold=30)
    return sorted(d.status_char() + (f"{d.similarity:03}" if d.status_char() == "R" else "") for d in diff.deltas)
def by_dulwich(old, new):
    with Repo("r") as there:
        trees = [there[id.encode()].tree for id in (old, new)]
        changes = RenameDetector(there.object_store, rename_threshold=30).changes_with_renames(*trees)
        return sorted({"rename": "R", "add": "A", "delete": "D"}[change.type] for change in changes)
def show(name, old, new):
    base = commit({"old": old})
    other = commit({"new": new}, base)
    ours = sorted(line.split()[0] for line in git("diff", "--name-status", "-M30%", base, other).splitlines())
    exact = sorted(line.split()[0] for line in git("diff", "--name-status", "-M100%", base, other).splitlines())
    theirs, flags = by_libgit2(base, other), DiffFind.FIND_RENAMES | DiffFind.FIND_EXACT_MATCH_ONLY
    print(f"{name}: git {ours}, with -M100% {exact}, libgit2 {theirs}, exact {by_libgit2(base, other, flags)}, dulwich {by_dulwich(base, other)}")
    assert by_libgit2(base, other, flags) == exact
    assert [status[0] for status in ours] == by_dulwich(base, other)
    return base, other, ours, theirs, exact
lines = [f"step {n}: {n * 7919 % 1000003}\n" for n in range(500)]
others = [f"other {n}: {n * 104729 % 1000003}\n" for n in range(500)]
base, other, ours, theirs, exact = show("equal", "".join(lines[:20]), "".join(lines[:20]))
assert ours == theirs == exact == ["R100"]
base, other, ours, theirs, exact = show("reversed", "".join(lines[:20]), "".join(reversed(lines[:20])))
print(*(line for line in git("diff", "--stat", "-M", base, other).splitlines()), sep="\n")
assert ours == ["R100"] and theirs == ["R100"] and exact == ["A", "D"]
_, _, ours, theirs, exact = show("indented", "".join(lines[:20]), "".join("  " + line for line in lines[:20]))
assert ours == exact == ["A", "D"] and theirs == ["R100"]
kept = "".join(lines[:225] + others[225:])
base, other, ours, theirs, _ = show("225 of 500 lines kept", "".join(lines), kept)
assert ours == ["R043"] and theirs == ["R063"], (ours, theirs)
edit = commit({"old": "".join(["first\n"] + lines[1:])}, base)
said = git("merge-tree", "--write-tree", other, edit, codes=(1,))
index = repo.merge_commits(other, edit)
print("merge:", *[line for line in said.splitlines() if "CONFLICT" in line], "| libgit2:", "conflict" if index.conflicts else [entry.path for entry in index])
assert "modify/delete" in said and not index.conflicts and [entry.path for entry in index] == ["new"]
assert repo[index["new"].id].data.decode() == "first\n" + kept.split("\n", 1)[1]
P
echo "seen: a rename of 100 % is not always an equal file, and libgit2 has other numbers than git"
