#!/usr/bin/env bash
# Guessed: libgit2's patch id (pygit2 Diff.patchid) equals git's `patch-id --stable` for any commit. It does for text,
#          renames, mode changes, symbolic links and files without a last newline.
# Seen:    Not for binary files: any two changes of one binary file have the same id, whatever the bytes, while git
#          hashes the blob names and distinguishes them. And an added empty file has another id than in git.
# With:    pygit2 1.21.0 (PyPI, libgit2 1.9.7) and the git on this machine.
# Matters: A second, different update of an image or archive looks "already applied" when comparing libgit2's ids.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pygit2==1.21.0
git init -q -b main r; cd r
seq 1 30 > text; printf 'a\0b' > image; echo run > tool; git add .; git commit -qm base
sed -i 's/^15$/fifteen/' text; git commit -qam text
chmod +x tool; git commit -qam chmod
printf 'a\0bb' > image; git commit -qam binary-one
printf '\0\0\0 nothing alike' > image; git commit -qam binary-two
: > empty; git add .; git commit -qm empty-file
../v/bin/python - <<'P'
import subprocess, pygit2
print("libgit2", pygit2.LIBGIT2_VERSION)
def git(*args, data=None):
    return subprocess.run(["git", *args], input=data, check=True, capture_output=True).stdout
repo, lib, ref = pygit2.Repository("."), {}, {}
for commit in repo.walk(repo.head.target):
    if not commit.parents:
        continue
    subject = commit.message.strip()
    lib[subject] = str(commit.parents[0].tree.diff_to_tree(commit.tree).patchid)
    ref[subject] = git("patch-id", "--stable", data=git("diff-tree", "-p", "--full-index", str(commit.id))).decode().split()[0]
    print(f"{subject:11} git {ref[subject][:12]}  libgit2 {lib[subject][:12]}")
assert lib["text"] == ref["text"] and lib["chmod"] == ref["chmod"]
assert ref["binary-one"] != ref["binary-two"], "git tells the binary changes apart"
assert lib["binary-one"] == lib["binary-two"], "libgit2 now tells the binary changes apart"
assert lib["empty-file"] != ref["empty-file"], "libgit2 now agrees on an empty file"
P
echo "seen: libgit2 gives two different binary changes one patch id"
