#!/usr/bin/env bash
# Guessed: dulwich's trailer parser finds the same trailers as `git interpret-trailers --parse`.
# Seen:    git accepts a last paragraph as trailers if it contains a Signed-off-by and at most three quarters of prose,
#          skips comment lines, and allows a space before the colon. dulwich requires every line to be a trailer and
#          finds none in any of these; but it accepts `Co_authored: x`, which git rejects for the underscore. And git
#          takes a line that is only a URL for a trailer named "https", and prints it with a space in the middle.
# With:    dulwich 1.2.21 (PyPI) and the git on this machine.
# Matters: `Fixes:` and `Co-authored-by:` are lost or found depending on which tool reads the same commit message.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check dulwich==1.2.21
v/bin/python - <<'P'
import subprocess
from dulwich.trailers import parse_trailers
def git(message):
    out = subprocess.run(["git", "interpret-trailers", "--parse"], input=message.encode(), check=True, capture_output=True).stdout
    return out.decode().splitlines()
def dulwich(message):
    return [f"{t.key}: {t.value}" for t in parse_trailers(message.encode())[1]]
signed = "Signed-off-by: A <a@example.org>"
cases = {  # name: (message, what git finds, what dulwich finds)
    "plain": ("s\n\nFixes: #1\nCloses: #2\n", ["Fixes: #1", "Closes: #2"], ["Fixes: #1", "Closes: #2"]),
    "prose with a sign-off": (f"s\n\nsome prose\nmore prose\nFixes: #1\n{signed}\n", ["Fixes: #1", signed], []),
    "comment": ("s\n\n# a comment\nFixes: #1\n", ["Fixes: #1"], []),
    "space before the colon": ("s\n\nFixes : #1\n", ["Fixes: #1"], []),
    "underscore": ("s\n\nCo_authored: x\n", [], ["Co_authored: x"]),
    "url": ("s\n\nhttps://example.org/1\nFixes: #1\n", ["https: //example.org/1", "Fixes: #1"], ["https: //example.org/1", "Fixes: #1"]),
}
for name, (message, by_git, by_dulwich) in cases.items():
    g, d = git(message), dulwich(message)
    print(f"{name}: git {g}, dulwich {d}")
    assert g == by_git and d == by_dulwich, name
P
echo "seen: git and dulwich read other trailers from the same messages"
