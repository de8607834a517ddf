#!/usr/bin/env bash
# Guessed: An abbreviated commit id that two commits share is ambiguous for a reader that stays open (pygit2 Repository
#          or `git cat-file --batch-check`), whatever happens to the packs: both list the packs again when one is gone.
# Seen:    Not after `git repack` or `git gc`. libgit2 skips a pack that is gone, and lists the packs again only if it
#          finds nothing at all. If the reader has read one of the two commits, and so holds its old pack open, the
#          abbreviated id names that commit, as if unique: two readers that read different commits get different
#          answers. It stays so until the reader looks up an object that is in no pack; then the id is ambiguous. It is
#          ambiguous throughout without a repack, and for a reader that has read neither commit or both.
#          An open git process does the same, but only if it has not looked into the other commit's pack before. It
#          searches the newest pack first: having read the older commit it says "ambiguous", having read the newer one
#          it does not. A new git process always says "ambiguous".
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7) and git 2.47.3, 2026-11.
# Matters: A deployment by abbreviated commit id can go to the wrong commit instead of being refused. Ask a new git
#          process, or list the packs first (`git_odb_refresh`; in pygit2 and `cat-file`, look up an absent object).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
v/bin/python - <<'P'
import hashlib, itertools, os, subprocess
import pygit2

TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the empty one

def git(path, *args, data=""):
    return subprocess.run(["git", "-C", path, *args], input=data, check=True, capture_output=True, text=True).stdout

def two_commits_with_one_prefix():
    seen = {}
    for n in itertools.count():
        person = "a <a@example.org> 1700000000 +0000"
        text = f"tree {TREE}\nauthor {person}\ncommitter {person}\n\ncommit {n}\n"
        short = hashlib.sha1(f"commit {len(text)}\0{text}".encode()).hexdigest()[:7]
        if short in seen:
            return short, seen[short], text
        seen[short] = text

def three_packs(path):
    """The empty tree and the two commits, each in a pack of its own, the oldest first."""
    git(".", "init", "-q", "--bare", path)
    ids = [git(path, "hash-object", "-w", "-t", kind, "--stdin", data=text).strip()
           for kind, text in (("tree", ""), ("commit", texts[0]), ("commit", texts[1]))]
    for age, oid in enumerate(ids):
        name = git(path, "pack-objects", "-q", "objects/pack/pack", data=oid).strip()
        os.utime(f"{path}/objects/pack/pack-{name}.pack", (1700000000 + age,) * 2)
    for oid in ids[1:]:
        git(path, "update-ref", f"refs/heads/{oid}", oid)
    git(path, "prune-packed")
    return ids[1:]

def resolve(repo):
    def one(lookup):
        try:
            return str(lookup(short).id)
        except pygit2.AmbiguousError:
            return "ambiguous"
    answer, = {one(repo.__getitem__), one(repo.revparse_single)}
    return answer

def list_packs(repo):
    try:
        repo["1" * 40]
    except KeyError:
        return
    raise SystemExit("found an object that does not exist")

def ask(cat_file, name):
    print(name, file=cat_file.stdin, flush=True)
    first, second, *_ = cat_file.stdout.readline().split()
    return first if second == "commit" else second

def case(read, merge):
    case.number += 1
    path = f"r{case.number}"  # libgit2 shares packs by path: each case has its own
    ids = three_packs(path)
    repo = pygit2.Repository(path)
    cat_file = subprocess.Popen(["git", "-C", path, "cat-file", "--batch-check"], text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for n in read:
        assert str(repo[ids[n]].id) == ask(cat_file, ids[n]) == ids[n]
    if merge:
        git(path, *merge.split())
    parse = subprocess.run(["git", "-C", path, "rev-parse", "--verify", short], capture_output=True, text=True)
    assert parse.returncode == 128 and "is ambiguous" in parse.stderr
    lib, ref = resolve(repo), ask(cat_file, short)
    assert (resolve(repo), ask(cat_file, short)) == (lib, ref), "the second answer differs"
    had_read = " and ".join(ids[n][:10] for n in read) or "nothing"
    print(f"{merge or 'no repack':26} | {had_read:25} | {lib[:10]:10} | {ref[:10]}")
    assert lib == (ids[read[0]] if merge and len(read) == 1 else "ambiguous"), "libgit2 changed"
    assert ref == (ids[1] if merge and read == (1,) else "ambiguous"), "git changed"
    list_packs(repo)
    assert ask(cat_file, "1" * 40) == "missing"
    assert resolve(repo) == ask(cat_file, short) == "ambiguous", "still not ambiguous with the packs listed"
    cat_file.stdin.close(); cat_file.wait()
case.number = 0

print("libgit2", pygit2.LIBGIT2_VERSION)
short, *texts = two_commits_with_one_prefix()
print(f"{short + ', merged by':26} | {'read before':25} | {'libgit2':10} | open git")
for merge in ("", "repack -q -a -d", "repack -q --geometric=2 -d", "gc -q"):
    for read in ((), (0,), (1,), (0, 1)):
        case(read, merge)
P
echo "seen: after a repack, libgit2 takes an ambiguous abbreviated commit id for the commit it read before"
