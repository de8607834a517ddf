#!/usr/bin/env bash
# Guessed: An editor for TOML that keeps comments and layout writes the document that was asked for: reading its output
#          gives the edited values.
# Seen:    Two don't, without an error, and what they write is valid TOML. tomlkit: a table added beside dotted keys
#          (`link.shop.commit = "a1"` in `[tenant.prod]`, and then `prod["link"]["db"] = {…}`) is written as `[link.db]` at
#          the top level, in the middle of the dotted keys, and all keys after it belong to that table: prod loses the rest
#          of its links. It reads its own output so, too. @decimalturn/toml-patch: after a table gets another name
#          (`[tenant.prod]` to `[tenant.dev]`), only that header is rewritten. `[tenant.prod.link.shop]` and
#          `[[tenant.prod.approval]]` keep the old name, so there is a prod with all links and approvals, and dev has none.
#          The same edits are right with links as tables of their own in tomlkit, and for a copy or a removal in toml-patch.
# With:    tomlkit 0.15.2 (PyPI), @decimalturn/toml-patch 3.3.0 (npm) and the tomllib of Python 3.11 or newer.
# Matters: A bot that adds a link or renames an environment removes other links from it, or leaves the approvals where they
#          were, and its diff looks small. Read the output with another parser and compare it with what was meant before
#          it is committed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check tomlkit==0.15.2
npm install --silent --no-audit --no-fund --prefix "$work" @decimalturn/toml-patch@3.3.0 >/dev/null
cat >dotted.toml <<'T'
[tenant.prod]
link.shop.commit = "a1"
link.shop.phase = "deploy"
link.api.commit = "b1"

[tenant.test]
link.shop.commit = "c1"
T
cat >headers.toml <<'T'
[tenant.prod]
owner = "ops"

[tenant.prod.link.shop]
commit = "a1"

[[tenant.prod.approval]]
by = "release"
T
v/bin/python - <<'P'
import tomlkit, tomllib
for name in ("dotted", "headers"):
    with open(f"{name}.toml") as f:
        text = f.read()
    document, wanted = tomlkit.parse(text), tomllib.loads(text)
    for d in (document, wanted):
        d["tenant"]["prod"]["link"]["db"] = {"commit": "d1"}
    written = tomlkit.dumps(document)
    read = tomllib.loads(written)
    print(f"tomlkit, a link added, {name}: {'as wanted' if read == wanted else 'other'}")
    assert document.unwrap() == wanted and tomlkit.parse(written).unwrap() == read
    assert (read == wanted) == (name == "headers")
    if name == "dotted":
        print(written)
        assert read["tenant"]["prod"] == {"link": {"shop": {"commit": "a1"}}}
        assert read["link"] == {"db": {"commit": "d1", "link": {"shop": {"phase": "deploy"}, "api": {"commit": "b1"}}}}
P
cat >patch.mjs <<'J'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { parse, patch } from "@decimalturn/toml-patch";
const plain = value => JSON.parse(JSON.stringify(value));
const text = readFileSync("headers.toml", "utf8");
const edits = {
  "a tenant renamed": d => { d.tenant.dev = plain(d.tenant.prod); delete d.tenant.prod; },
  "a tenant copied": d => { d.tenant.dev = plain(d.tenant.prod); },
  "a tenant removed": d => { delete d.tenant.prod; },
};
for (const [name, edit] of Object.entries(edits)) {
  const wanted = plain(parse(text)); edit(wanted);
  const written = patch(text, wanted), read = plain(parse(written));
  let same = true;
  try { assert.deepStrictEqual(read, wanted); } catch { same = false; }
  console.log(`toml-patch, ${name}: ${same ? "as wanted" : "other"}`);
  assert.equal(same, name !== "a tenant renamed");
  if (!same) {
    console.log(written);
    assert.deepStrictEqual(read, { tenant: { dev: { owner: "ops" }, prod: { link: { shop: { commit: "a1" } }, approval: [{ by: "release" }] } } });
  }
}
J
node patch.mjs
echo "seen: both editors wrote a valid document that is not the one that was asked for"
