#!/usr/bin/env bash
# Guessed: A feature that was reverted and put back is released: semantic-release takes out pairs of a commit and its revert,
#          and a revert of the revert is one of them.
# Seen:    It was, as long as git called that `Revert "Revert "…""`. Since 2.43, git calls it `Reapply "…"`, which the parser of
#          conventional commits takes neither for a revert nor for a feature. So the commit and its revert are taken out,
#          the third commit says nothing, and there is no release. With another fix there is one, whose number is too
#          low and whose notes don't mention the feature.
# With:    @semantic-release/commit-analyzer 13.0.1, @semantic-release/release-notes-generator 14.1.1,
#          conventional-commits-filter 5.0.0, conventional-commits-parser 6.4.0 (npm), and git 2.43 or newer.
# Matters: What is deployed from the branch has a feature that no version or changelog has. A tool that pairs reverts by
#          their subjects breaks with a new git; the line "This reverts commit SHA" is in both, and so is the change.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
git --version
npm install --silent --no-audit --no-fund --prefix "$work" @semantic-release/commit-analyzer@13.0.1 @semantic-release/release-notes-generator@14.1.1 conventional-commits-filter@5.0.0 conventional-commits-parser@6.4.0 >/dev/null
cat > release.mjs <<'J'
import { execFileSync } from "node:child_process";
import { analyzeCommits } from "@semantic-release/commit-analyzer";
import { generateNotes } from "@semantic-release/release-notes-generator";
const [cwd, from] = process.argv.slice(2);
const commits = execFileSync("git", ["-C", cwd, "log", "--format=%H %B%x00", from + ".."]).toString().split("\0").map(text => text.trim()).filter(Boolean)
  .map(text => ({ hash: text.slice(0, 40), message: text.slice(41), committerDate: "2024-01-01T00:00:00Z" }));
const context = { cwd, commits, logger: { log() {} }, lastRelease: { gitTag: from }, nextRelease: { gitTag: "next", version: "9.9.9" }, options: { repositoryUrl: "https://example.org/o/r" } };
const release = await analyzeCommits({}, context), notes = await generateNotes({}, context);
console.log(JSON.stringify({ release, feature: notes.includes("count parcels"), fix: notes.includes("round up") }));
J
history() {  # NAME, and "old" to give the last commit the subject that git gave it before 2.43
  git init -q -b main "$1"; cd "$1"
  git commit -q --allow-empty -m 'chore: begin'; git tag start
  echo 1 > parcels; git add .; git commit -qm 'feat: count parcels'
  git revert --no-edit HEAD >/dev/null; first=$(git rev-parse HEAD); git revert --no-edit HEAD >/dev/null
  if [ "$(git log -1 --format=%s)" != 'Reapply "feat: count parcels"' ]; then echo "this git does not say Reapply"; exit 1; fi
  if [ "$2" = old ]; then git commit -q --amend -m 'Revert "Revert "feat: count parcels""' -m "This reverts commit $first."; fi
  git log --format='  %s' start..; cd ..
}
history new new; new=$(node release.mjs new start); echo "$new"
history old old; old=$(node release.mjs old start); echo "$old"
echo 2 > new/fix; git -C new add .; git -C new commit -qm 'fix: round up'
fix=$(node release.mjs new start); echo "with a fix: $fix"
[ "$new" = '{"release":null,"feature":false,"fix":false}' ]
[ "$old" = '{"release":"minor","feature":true,"fix":false}' ]
[ "$fix" = '{"release":"patch","feature":false,"fix":true}' ]
echo "seen: semantic-release does not release what git reapplied"
