#!/usr/bin/env bash
# Guessed: dulwich's can_fast_forward says what `git merge-base --is-ancestor` says, and so its push and `pull --ff-only`
#          take what git takes.
# Seen:    Not if the only way between the two commits leads over one that is dated before the older of them, as in a
#          history of three commits in a row, dated 12:05, 12:01 and 12:10. dulwich denies that the third can be reached
#          from the first: push raises DivergedBranches, and so does pull, with and without ff_only. git takes it as a
#          fast-forward, and so does dulwich's own merge, for find_merge_base finds the first commit. In 30 random
#          histories of 16 commits whose clocks are up to 25 minutes off, 652 of 2707 ancestors are denied; with right
#          clocks, none is.
# With:    dulwich 1.2.21 (PyPI) and the git on this machine.
# Matters: A deployment branch that is only moved forward stops at one commit from a laptop with a slow clock (or a fast
#          clock, one commit earlier), with a message that blames the history. A forced push is then the wrong cure.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
git config --global user.name A; git config --global user.email a@example.org; git config --global init.defaultBranch main
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check dulwich==1.2.21
v/bin/python - <<'P'
import io, os, random, subprocess
from dulwich import porcelain
from dulwich.graph import can_fast_forward, find_merge_base
from dulwich.objects import Commit, Tree
from dulwich.repo import MemoryRepo, Repo
def git(*args, code=0, date=None):
    made = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date} if date else {}
    done = subprocess.run(["git", *args], capture_output=True, text=True, env={**os.environ, **made})
    assert done.returncode == code, done.stderr
    return done.stdout.strip()
def outcome(f):
    try:
        f(); return "done"
    except porcelain.Error as e:
        return type(e).__name__
def history(directory):
    return git("-C", directory, "log", "--format=%s").splitlines()
def tried(name, second):
    git("init", "-q", name)
    for subject, time in [("first", "12:05"), ("second", second), ("third", "12:10")]:
        git("-C", name, "commit", "-q", "--allow-empty", "-m", subject, date=f"2026-06-01T{time}:00Z")
    first, third = (git("-C", name, "rev-parse", r).encode() for r in ("HEAD~2", "HEAD"))
    repository = Repo(name)
    assert git("-C", name, "merge-base", "--is-ancestor", first.decode(), third.decode()) == ""
    seen = {"merge base": find_merge_base(repository, [first, third]) == [first], "can_fast_forward": can_fast_forward(repository, first, third)}
    for tool in ("dulwich", "git"):
        bare, clone = f"{name}-{tool}.git", f"{name}-{tool}"
        git("init", "-q", "--bare", bare)
        git("-C", name, "push", "-q", f"../{bare}", f"{first.decode()}:refs/heads/main")
        git("clone", "-q", bare, clone)
        silent = {"outstream": io.BytesIO(), "errstream": io.BytesIO()}
        if tool == "dulwich":
            seen["push"] = outcome(lambda: porcelain.push(name, bare, "refs/heads/main:refs/heads/main", **silent))
        if git("-C", bare, "rev-parse", "main") == first.decode():
            git("-C", name, "push", "-q", f"../{bare}", "main")  # not forced
        if tool == "dulwich":
            seen["pull ff_only"] = outcome(lambda: porcelain.pull(clone, bare, "refs/heads/main", ff_only=True, **silent))
            git("-C", clone, "reset", "-q", "--hard", first.decode())
            seen["pull"] = outcome(lambda: porcelain.pull(clone, bare, "refs/heads/main", **silent))
            git("-C", clone, "fetch", "-q")
            seen["merge"] = outcome(lambda: porcelain.merge(clone, "refs/remotes/origin/main"))
        else:
            git("-C", clone, "fetch", "-q")
            git("-C", clone, "merge", "-q", "origin/main")
        seen[f"history after {tool}'s merge"] = history(clone)
    return seen
ordinary = tried("ordinary", "12:07")
slow = tried("slow", "12:01")
for what in slow:
    print(f"{what}: second at 12:07 {ordinary[what]}; at 12:01 {slow[what]}")
whole, refused = ["third", "second", "first"], "DivergedBranches"
assert list(ordinary.values()) == [True, True, "done", "done", "done", "done", whole, whole]
assert list(slow.values()) == [True, False, refused, refused, refused, "done", whole, whole]

def counted(off):
    reached = denied = 0
    for seed in range(30):
        chance, repository, ancestors = random.Random(seed), MemoryRepo(), {}
        for at in range(16):
            near = list(ancestors)[-5:]
            c = Commit()
            c.parents = chance.sample(near, min(len(near), 1 if at < 2 or chance.random() < 0.55 else 2))
            c.tree, c.message = Tree().id, b"%d" % at
            c.author = c.committer = b"A <a@example.org>"
            c.author_time = c.commit_time = 1_760_000_000 + 60 * (2 * at + chance.randint(-off, off))
            c.author_timezone = c.commit_timezone = 0
            repository.object_store.add_object(c)
            ancestors[c.id] = {c.id}.union(*(ancestors[p] for p in c.parents))
        for newer in ancestors:
            for older in ancestors:
                said = can_fast_forward(repository, older, newer)
                reached += older in ancestors[newer]
                denied += older in ancestors[newer] and not said
                assert not said or older in ancestors[newer]
    return denied, reached
for off, expected in [(0, (0, 2672)), (25, (652, 2707))]:
    denied, reached = counted(off)
    print(f"clocks off by up to {off} minutes: {denied} of {reached} ancestors are denied")
    assert (denied, reached) == expected
P
echo "seen: dulwich takes a fast-forward for a divergence when a commit between is dated too early"
