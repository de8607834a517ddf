#!/usr/bin/env bash
# Guessed: A reader that stays open (pygit2 Repository) finds every object after `git repack`, with or without a
#          multi-pack-index: libgit2 lists the packs again when it finds an object in none of them, and git deletes or
#          rewrites the multi-pack-index before it deletes a pack.
# Seen:    Without a multi-pack-index it does. With one, it depends on what the reader had mapped by then:
#          - It had looked into the packs one by one before the multi-pack-index was written, and then loaded that:
#            after the repack every object raises OSError "invalid packfile", again and again, until the reader looks up
#            an object that is in no pack, which makes it list the packs. The same with `repack -a -d` (with and without
#            --write-midx), `repack --geometric=2 -d`, `gc`, and `multi-pack-index repack` followed by `expire`.
#            Meanwhile, a second Repository opened in the same process finds all of them.
#          - The multi-pack-index was there first: every object is found.
#          And if something other than git merges the packs and leaves a multi-pack-index that names deleted ones (git
#          reads on, `git fsck` complains): KeyError, as for an object that does not exist, or "invalid packfile", for
#          every object. Listing the packs does not help, nor does a second Repository in that process while the first
#          is open: both share the packs, by path. A new process finds everything, and so does the reader once the
#          multi-pack-index is deleted. (`git multi-pack-index write` is no fix: it keeps naming the deleted packs.)
#          A `git cat-file --batch` open all that time finds everything in each case.
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7) and git 2.47.3, 2026-11.
# Matters: Maintenance of a repository that a long-running process reads: an "invalid packfile" or a missing commit may
#          be a stale list of packs. Code that deletes packs has to delete or rewrite the multi-pack-index first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
v/bin/python - <<'P'
import subprocess, sys
from pathlib import Path
import pygit2

WRITE = ("multi-pack-index", "write")
FOUND, INVALID, MISSING = ["found"] * 3, ["invalid packfile"] * 3, ["KeyError"] * 3

def git(path, *args, data=""):
    return subprocess.run(["git", "-C", path, *args], input=data, check=True, capture_output=True, text=True).stdout

def three_packs(path):
    """Three blobs, each with a ref and a pack of its own."""
    git(".", "init", "-q", "--bare", path)
    ids = [git(path, "hash-object", "-w", "--stdin", data=f"blob {n}\n").strip() for n in range(3)]
    for oid in ids:
        git(path, "update-ref", f"refs/blobs/{oid}", oid)
        git(path, "pack-objects", "-q", "objects/pack/pack", data=oid)
    git(path, "prune-packed")
    return ids

def merge_without_repack(path):
    packs = list(Path(path, "objects/pack").glob("*.pack"))
    git(path, "pack-objects", "-q", "--stdin-packs", "objects/pack/pack", data="".join(p.name + "\n" for p in packs))
    for file in [file for pack in packs for file in pack.parent.glob(pack.stem + ".*")]:
        file.unlink()

def read(repo, ids):
    def one(oid):
        try:
            return repo[oid].data and "found"
        except KeyError:
            return "KeyError"
        except OSError as e:
            return "invalid packfile" if "invalid packfile" in str(e) else repr(e)
    return [one(oid) for oid in ids]

def read_in_new_process(path, ids):
    code = "import pygit2, sys; r = pygit2.Repository(sys.argv[1]); [r[i].data for i in sys.argv[2:]]; print('found')"
    return [subprocess.run([sys.executable, "-c", code, path, *ids], capture_output=True, text=True).stdout.strip()] * 3

def list_packs(repo):
    assert read(repo, ["1" * 40]) == ["KeyError"]

class CatFile:
    def __init__(self, path):
        self.process = subprocess.Popen(["git", "-C", path, "cat-file", "--batch"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    def read(self, ids):
        def one(oid):
            print(oid, file=self.process.stdin, flush=True)
            header = self.process.stdout.readline().split()
            return header[1] if header[1] == "missing" else self.process.stdout.read(int(header[2]) + 1) and "found"
        return [one(oid) for oid in ids]
    def close(self):
        self.process.stdin.close(); self.process.wait()

def case(index, merge, first, second, refreshed, deleted):
    case.number += 1
    path = f"r{case.number}"  # libgit2 shares packs by path: each case has its own
    ids = three_packs(path)
    if index == "before":
        git(path, *WRITE)
    repo, cat = pygit2.Repository(path), CatFile(path)
    list_packs(repo); cat.read(["1" * 40])
    if index == "while open":
        git(path, *WRITE)
        list_packs(repo); cat.read(["1" * 40])
    if merge == "by hand":
        merge_without_repack(path)
    else:
        for command in merge.split(" && "):
            git(path, *command.split())
    seen = [read(repo, ids), read(pygit2.Repository(path), ids)]
    assert read(repo, ids) == seen[0], "the second read differs"
    assert cat.read(ids) == read_in_new_process(path, ids) == FOUND
    cat.close()
    list_packs(repo)
    seen.append(read(repo, ids))
    healthy = subprocess.run(["git", "-C", path, "fsck", "--no-progress"], capture_output=True).returncode == 0
    assert healthy == (merge != "by hand" or index == "never"), "git fsck"
    Path(path, "objects/pack/multi-pack-index").unlink(missing_ok=True)
    list_packs(repo)
    seen.append(read(repo, ids))
    git(path, "fsck", "--no-progress")
    short = [answer[0] if len(set(answer)) == 1 else answer for answer in seen]
    print(f"index {index:10} | {merge:50} | {short[0]:16} | {short[1]:16} | {short[2]:16} | {short[3]}")
    assert seen == [first, second, refreshed, deleted], "changed"
case.number = 0

print("libgit2", pygit2.LIBGIT2_VERSION)
print(f"{'written':16} | {'merged by':50} | {'reader':16} | {'second':16} | {'packs listed':16} | index deleted")
merges = ["repack -q -a -d", "repack -q -a -d --write-midx", "repack -q --geometric=2 -d", "gc -q"]
for merge in merges:
    case("never", merge, FOUND, FOUND, FOUND, FOUND)
merges.append("multi-pack-index repack && multi-pack-index expire")
for merge in merges:
    case("before", merge, FOUND, FOUND, FOUND, FOUND)
    case("while open", merge, INVALID, FOUND, FOUND, FOUND)
case("never", "by hand", FOUND, FOUND, FOUND, FOUND)
case("before", "by hand", MISSING, MISSING, MISSING, FOUND)
case("while open", "by hand", INVALID, INVALID, INVALID, FOUND)
P
echo "seen: after a repack, libgit2 fails to read objects through a multi-pack-index it loaded earlier"
