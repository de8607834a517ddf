#!/usr/bin/env bash
# Guessed: Tools for release notes name the pull request by which a commit came into the branch: by the end of its first line
#          ("… (#7)"), or the one that the host lists with this commit as its merge commit. A pull request that is still open,
#          or one into another branch, is not it, and each commit of a pull request that was rebased has one.
# Seen:    @auto-it/core looks for "Merge pull request #N from" anywhere in the message first: a squashed branch into which another
#          had been merged is credited to that other one (3 in place of 7), and the revert of a merge to what it takes back
#          (5 in place of 6). @changesets/get-github-info takes of those that the host lists the one merged first, into
#          whichever branch, and if none is merged an open one. release-please takes the one whose merge commit this is only if
#          the same page of the history has no other commit of it, and else the first in the list: the answer depends on the
#          size of the page. git-cliff goes by `merge_commit_sha`, so only the last commit of a rebased one has any.
# With:    @auto-it/core 11.3.6, @changesets/get-github-info 1.0.1, release-please 17.11.2, git-cliff 2.14.2 (npm), the last three
#          against a server on this machine that answers in the shapes of GitHub's API.
# Matters: The approvals that are looked up may be those of another pull request, of an unprotected branch, or of one that never
#          was merged. Evidence needs `merged_at`, `base.ref` and `merge_commit_sha` of each candidate, and for a rebase the
#          commits of the pull request; a number in a message is a hint.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org
node --version
npm install --silent --no-audit --no-fund --prefix "$work" @auto-it/core@11.3.6 @changesets/get-github-info@1.0.1 release-please@17.11.2 \
  git-cliff@2.14.2 >/dev/null 2>&1
git init -q -b main r
for subject in 'first of two' 'second of two'; do git -C r commit -q --allow-empty -m "$subject"; done
cat > cliff.toml <<'T'
[changelog]
body = """{% for commit in commits %}{{ commit.message }}: {{ commit.remote.pr_number | default(value="none") }}; {% endfor %}"""
[git]
conventional_commits = false
filter_unconventional = false
[remote.github]
owner = "o"
repo = "r"
T
cat > ask.mjs <<'J'
import assert from "node:assert"; import { execFile, execFileSync } from "node:child_process"; import { createServer } from "node:http";
import { promisify } from "node:util"; import { createRequire } from "node:module"; import logParse from "@auto-it/core/dist/log-parse.js";
const say = (name, seen, expected) => { console.log(name.padEnd(52), seen); assert.strictEqual(seen, expected, name); };

const parser = new logParse.default();
for (const [name, subject, expected] of [
  ["auto: a squash commit", "feat: x (#12)", 12], ["auto: the revert of it", 'Revert "feat: x (#12)" (#13)', 13],
  ["auto: a merge", "Merge pull request #5 from o/y\n\ny", 5],
  ["auto: the revert of it", 'Revert "Merge pull request #5 from o/y" (#6)\n\nThis reverts commit 1234567.', 5],
  ["auto: a squash of a branch with a merge in it", "feat: big (#7)\n\n* begin\n\n* Merge pull request #3 from o/z\n\nz\n\n* end", 3],
]) {
  const commit = await parser.normalizeCommit({ hash: "1", authorName: "a", authorEmail: "a@example.org", subject });
  say(name, commit.pullRequest.number, expected);
}

const shas = execFileSync("git", ["-C", "r", "log", "--reverse", "--format=%H"]).toString().trim().split("\n");
const user = login => ({ login, url: `https://github.com/${login}` });
const pull = (number, baseRefName, oid, mergedAt) => ({
  number, baseRefName, mergedAt, url: `https://github.com/o/r/pull/${number}`, author: user("a"), title: "t", body: "", headRefName: "h",
  labels: { nodes: [] }, mergeCommit: oid && { oid }, files: { nodes: [], pageInfo: { hasNextPage: false } },
});
let listed, history = [];
const server = createServer((request, response) => {
  let text = ""; request.on("data", part => { text += part; }).on("end", () => {
    const url = new URL(request.url, "http://h"), first = +(url.searchParams.get("page") ?? 0) <= 1; let answer;
    if (url.pathname.endsWith("/pulls")) {
      answer = first ? [{ number: 8, title: "t", merge_commit_sha: shas[1], merged_at: "2026-01-02T00:00:00Z", labels: [], user: user("a") }] : [];
    } else if (url.pathname.endsWith("/commits")) {
      answer = first ? shas.map(sha => ({ sha, author: user("a"), commit: { author: { date: "2026-01-01T00:00:00Z" } } })) : [];
    } else {
      const { query, variables } = JSON.parse(text);
      if (variables?.num) {
        const start = +(variables.cursor ?? 0), end = start + variables.num;
        const pageInfo = { hasNextPage: end < history.length, endCursor: String(end) };
        answer = { data: { repository: { ref: { target: { history: { nodes: history.slice(start, end), pageInfo } } } } } };
      } else {
        const object = { commitUrl: "https://github.com/o/r/commit/1", associatedPullRequests: { nodes: listed }, author: { user: user("a") } };
        const [repo] = query.match(/repo__\w+/), [commit] = query.match(/commit__\w+/);
        answer = { data: { [repo]: { [commit]: object } } };
      }
    }
    response.setHeader("Content-Type", "application/json"); response.end(JSON.stringify(answer));
  });
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${server.address().port}`;
Object.assign(process.env, { GITHUB_TOKEN: "example", GITHUB_GRAPHQL_URL: url, GITHUB_API_URL: url });

const { getCommitInfo } = await import("@changesets/get-github-info");
const one = "1".repeat(40), into = [pull(11, "feature", "9".repeat(40), "2026-01-05T00:00:00Z"), pull(13, "main", one, "2026-01-06T00:00:00Z")];
listed = into; say("changesets: merged into a branch, then into main", (await getCommitInfo({ repo: "o/r", commit: one })).pull.number, 11);
listed = [pull(14, "main", null, null)];
say("changesets: only an open one", (await getCommitInfo({ repo: "o/r", commit: "2".repeat(40) })).pull.number, 14);

const { GitHub } = createRequire(import.meta.url)("release-please");
const quiet = { error() {}, warn() {}, info() {}, debug() {}, trace() {} };
const github = await GitHub.create({ owner: "o", repo: "r", token: "example", defaultBranch: "main", apiUrl: url, graphqlUrl: url, logger: quiet });
history = [
  { sha: one, message: "fix: one", author: null, associatedPullRequests: { nodes: into } },
  { sha: "0".repeat(40), message: "fix: zero", author: null, associatedPullRequests: { nodes: [into[1]] } },
];
const of = async batchSize => { for await (const commit of github.mergeCommitIterator("main", { batchSize })) return commit.pullRequest.number; };
say("release-please: the same two, one commit a page", await of(1), 13);
say("release-please: the same two, ten commits a page", await of(10), 11);

const cliff = await promisify(execFile)("../node_modules/.bin/git-cliff", ["-c", "../cliff.toml"], { cwd: "r" });
say("git-cliff: two commits of one that was rebased", cliff.stdout.trim(), "first of two: none; second of two: 8;");
server.close();
J
node ask.mjs
echo "seen: each of four tools names for some commits another pull request than theirs, or none"
