#!/usr/bin/env bash
# Guessed: isomorphic-git's `log({ filepath })` lists the commits that changed the file, as `git log -- path` does, or with
#          merges as `git log --full-history -- path` does. With `depth: 1` it finds the last change.
# Seen:    It walks all commits by date and compares the file in each commit with the file in the next older commit, which may
#          be on another branch. Where two branches alternate in time, it lists commits that did not touch the file: in a
#          history of 8 commits, where 2 changed `app`, it lists 4. `depth: 1` returns two commits, of the documentation
#          and of `web`. For a file that the branch added, the walk ends at the first commit of the other branch: it lists only
#          the commit of the documentation, not the one that added the file (with `force: true`, it lists both).
#          In 20 random histories with right clocks, 40 of 152 listed commits have the file as all their parents have it.
# With:    isomorphic-git 1.44.19 (npm) and the git on this machine.
# Matters: "Which commits does this deployment bring to this service?" names commits of other services, and their authors,
#          as soon as a branch is merged. Compare the entry in each commit with the entries in its own parents.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" isomorphic-git@1.44.19 >/dev/null
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git --version
cat > log.js <<'J'
const assert = require("assert"), fs = require("fs"), git = require("isomorphic-git");
const { execFileSync } = require("child_process");
const by = seconds => ({ name: "Ana", email: "ana@example.com", timestamp: seconds, timezoneOffset: 0 });
async function commit(gitdir, minute, message, files, parent) {
  const tree = [];
  for (const [path, text] of Object.entries(files)) {
    tree.push({ path, mode: "100644", type: "blob", oid: await git.writeBlob({ fs, gitdir, blob: Buffer.from(text) }) });
  }
  const who = by(Date.UTC(2026, 5, 1, 12, minute) / 1000);
  const root = await git.writeTree({ fs, gitdir, tree });
  return git.writeCommit({ fs, gitdir, commit: { message, parent, tree: root, author: who, committer: who } });
}
async function small() {
  const gitdir = "small.git";
  await git.init({ fs, gitdir, bare: true });
  const c = (...args) => commit(gitdir, ...args);
  const first = await c(0, "app: first", { app: "1" }, []);
  const base = await c(1, "web: first", { app: "1", web: "1" }, [first]);
  const change = await c(2, "app: second, with a new file", { app: "2", web: "1", new: "1" }, [base]); // on the branch
  const web2 = await c(3, "web: second", { app: "1", web: "2" }, [base]); // on main
  const doc = await c(6, "documentation", { app: "2", web: "1", new: "1", doc: "1" }, [change]); // on the branch
  const web3 = await c(5, "web: third", { app: "1", web: "3" }, [web2]); // on main
  const merge = await c(8, "merge", { app: "2", web: "3", new: "1", doc: "1" }, [web3, doc]);
  const ref = await c(9, "web: fourth", { app: "2", web: "4", new: "1", doc: "1" }, [merge]);
  const real = (...args) => execFileSync("git", ["-C", gitdir, "log", "--format=%s", ...args, ref, "--", "app"], { encoding: "utf8" })
    .trim().split("\n");
  const log = async options => (await git.log({ fs, gitdir, ref, ...options })).map(entry => entry.commit.message.trim());
  const seen = {
    "all": await log({}), "git, app": real(), "git --full-history, app": real("--full-history", "--no-merges"),
    "app": await log({ filepath: "app" }), "app, depth 1": await log({ filepath: "app", depth: 1 }),
    "new": await log({ filepath: "new" }), "new, force": await log({ filepath: "new", force: true }),
  };
  for (const what in seen) console.log(what.padEnd(24), seen[what].join(" | "));
  const changed = ["app: second, with a new file", "app: first"];
  assert.strictEqual(seen.all.length, 8);
  assert.deepStrictEqual([seen["git, app"], seen["git --full-history, app"]], [changed, changed]);
  assert.deepStrictEqual(seen.app, ["documentation", "web: second", ...changed]);
  assert.deepStrictEqual([seen["app, depth 1"], seen.new], [["documentation", "web: third"], ["documentation"]]);
  assert.deepStrictEqual(seen["new, force"], ["documentation", "app: second, with a new file"]);
}
async function random() {
  let state = 1;
  const chance = n => (state = (state * 48271) % 2147483647) % n;
  let listed = 0, untouched = 0, missing = 0;
  for (let history = 0; history < 20; history++) {
    const gitdir = `random-${history}.git`, all = [];
    await git.init({ fs, gitdir, bare: true });
    for (let at = 0; at < 30; at++) {
      const near = all.slice(-5), one = near[chance(near.length || 1)], two = near[chance(near.length || 1)];
      const parents = !one ? [] : one === two || chance(2) ? [one] : [one, two];
      const text = parents.length === 2 ? parents[chance(2)].text : parents.length && chance(4) ? parents[0].text : `${at}`;
      all.push({ oid: await commit(gitdir, at, `${at}`, { app: text, other: `${at}` }, parents.map(p => p.oid)), text, parents });
    }
    const reached = new Set(), visit = c => { if (!reached.has(c)) { reached.add(c); c.parents.forEach(visit); } };
    visit(all[all.length - 1]);
    const names = new Set((await git.log({ fs, gitdir, ref: all[all.length - 1].oid, filepath: "app" })).map(entry => entry.oid));
    for (const c of reached) {
      const differs = !c.parents.length || c.parents.some(p => p.text !== c.text);
      listed += names.has(c.oid);
      untouched += names.has(c.oid) && !differs;
      missing += c.parents.length < 2 && differs && !names.has(c.oid);
    }
  }
  console.log("random histories:", { listed, untouched, missing });
  return { listed, untouched, missing };
}
small().then(random).then(seen => assert.deepStrictEqual(seen, { listed: 152, untouched: 40, missing: 0 }))
  .catch(e => { console.error(e); process.exit(1); });
J
node log.js
echo "seen: isomorphic-git's log of a path lists commits that did not change it"
