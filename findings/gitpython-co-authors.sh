#!/usr/bin/env bash
# Guessed: GitPython's Commit.co_authors lists the people in Co-authored-by trailers as git reads them: in any letter case, with
#          any space after the colon, or folded over two lines. Text elsewhere in the message is no trailer.
# Seen:    It takes the lines that begin with exactly `Co-authored-by: ` and end with `>`, in any paragraph. So it misses
#          `Co-Authored-By:`, which many tools write, a key in lower case, one without a space after the colon, an address
#          without a name, a space or a carriage return at the end, and a folded trailer. Two spaces become part of the name.
#          A line in a quoted message counts. `trailers_list` of the same commits has all of the former and not the latter,
#          but nothing below a line `---`.
# With:    GitPython 3.2.1 (PyPI) and the git on this machine.
# Matters: A rule that nobody approves their own work does not know the co-author. Neither of the two is enough alone.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check GitPython==3.2.1
v/bin/python - <<'P'
import git
repo, who = git.Repo.init("r"), git.Actor("a", "a@example.org")
who_else = "B C <b@example.org>"
cases = {  # name: (message, in co_authors, in trailers_list, in git log)
    "plain": (f"s\n\nCo-authored-by: {who_else}\n", True, True, True),
    "each word with a capital": (f"s\n\nCo-Authored-By: {who_else}\n", False, True, True),
    "lower case": (f"s\n\nco-authored-by: {who_else}\n", False, True, True),
    "no space": (f"s\n\nCo-authored-by:{who_else}\n", False, True, True),
    "space at the end": (f"s\n\nCo-authored-by: {who_else} \n", False, True, True),
    "carriage returns": (f"s\r\n\r\nCo-authored-by: {who_else}\r\n", False, True, True),
    "folded": ("s\n\nCo-authored-by: B C\n <b@example.org>\n", False, True, True),
    "only an address": ("s\n\nCo-authored-by: <b@example.org>\n", False, True, True),
    "below a rule": (f"s\n\nText.\n\n---\n\nCo-authored-by: {who_else}\n", True, False, True),
    "quoted": (f"s\n\nThe other commit says:\n\nCo-authored-by: {who_else}\n\nThat was wrong.\n", True, False, False),
}
for name, (message, *expected) in cases.items():
    commit = git.Commit.create_from_tree(repo, repo.index.write_tree(), message, parent_commits=[], author=who, committer=who)
    logged = repo.git.log("-1", "--format=%(trailers:key=co-authored-by,valueonly,unfold)", commit.hexsha)
    seen = [any(actor.email == "b@example.org" for actor in commit.co_authors),
            any(key.lower() == "co-authored-by" and "b@example.org" in value for key, value in commit.trailers_list),
            "b@example.org" in logged]
    print(f"{name:25} co_authors {seen[0]!s:5}  trailers_list {seen[1]!s:5}  git log {seen[2]}")
    assert seen == expected, name
P
echo "seen: GitPython's co_authors misses most spellings that git reads"
