#!/usr/bin/env bash
# Guessed: libgit2's ahead_behind counts the commits that `git rev-list --left-right --count A...B` counts, whatever the
#          clocks of the committers said: the counts are a matter of parents alone.
# Seen:    With a single commit whose date is before its parent's (made where the clock was slow), ahead_behind also counts
#          commits that both sides have. Such a commit is made on a branch of 50 commits and merged into main. A clone that is
#          still at the fiftieth commit merges main, and is then 1 commit ahead of main: libgit2 says 51. In 30
#          random histories of 16 commits whose clocks are up to 25 minutes off, 82 of 7680 pairs are counted wrongly. git
#          is right for each of them. libgit2's counts are never too low there, and are 0 exactly when they should be; with
#          right clocks, all are right. Its merge_base and descendant_of are always right.
# With:    pygit2 1.21.0 with libgit2 1.9.7 (PyPI), and the git on this machine.
# Matters: "How many commits will this deployment bring?" is answered wrongly after one laptop with a slow clock, and so is
#          a limit on that number. Compare the count with 0, and use descendant_of; for the number walk the parents.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
v/bin/python - <<'P'
import random, subprocess
import pygit2
assert pygit2.LIBGIT2_VERSION == "1.9.7", pygit2.LIBGIT2_VERSION
repository = pygit2.init_repository("repository", bare=True)
tree = repository.TreeBuilder().write()
ancestors = {}
def commit(minute, *parents):
    who = pygit2.Signature("A", "a@example.org", 1_760_000_000 + 60 * minute, 0)
    made = repository.create_commit(None, who, who, f"{len(ancestors)}", tree, list(parents))
    ancestors[made] = {made}.union(*(ancestors[p] for p in parents))
    return made
def true(a, b):
    return len(ancestors[a] - ancestors[b]), len(ancestors[b] - ancestors[a])
def git(a, b):
    out = subprocess.run(["git", "-C", "repository", "rev-list", "--left-right", "--count", f"{a}...{b}"], check=True, capture_output=True, text=True)
    return tuple(map(int, out.stdout.split()))

for clock, expected in [(61, (1, 0)), (1, (51, 0))]:
    branch = main = commit(0)
    for minute in range(10, 60):
        branch = commit(minute, branch)
    last = commit(clock, branch)
    main = commit(70, main, last)
    branch = commit(80, branch, main)
    seen = repository.ahead_behind(branch, main)
    print(f"clock {'right' if clock > 60 else 'slow'}: libgit2 {seen}, git {git(branch, main)}, by parents {true(branch, main)}")
    assert (seen, git(branch, main), true(branch, main)) == (expected, (1, 0), (1, 0))

for off, expected in [(0, 0), (25, 82)]:
    pairs, wrong = 0, []
    for seed in range(30):
        chance, made = random.Random(seed), []
        for at in range(16):
            near = made[-5:]
            parents = chance.sample(near, min(len(near), 1 if at < 2 or chance.random() < 0.55 else 2))
            made.append(commit(2 * at + chance.randint(-off, off), *parents))
        for a in made:
            for b in made:
                pairs += 1
                if repository.ahead_behind(a, b) != true(a, b):
                    wrong.append((a, b))
                base, common = repository.merge_base(a, b), ancestors[a] & ancestors[b]
                assert base in common and not any(base in ancestors[c] for c in common - {base})
                assert a == b or repository.descendant_of(a, b) == (b in ancestors[a])
    assert all(git(a, b) == true(a, b) for a, b in wrong)
    too_few = sum(s < t for a, b in wrong for s, t in zip(repository.ahead_behind(a, b), true(a, b)))
    zero = sum((s == 0) != (t == 0) for a, b in wrong for s, t in zip(repository.ahead_behind(a, b), true(a, b)))
    print(f"clocks off by up to {off} minutes: {len(wrong)} of {pairs} pairs are counted wrongly, {too_few} counts too low, {zero} of them 0 or not 0 wrongly")
    assert (len(wrong), too_few, zero) == (expected, 0, 0)
P
echo "seen: a commit older than its parent makes libgit2 count commits that both sides have"
