#!/usr/bin/env bash
# Guessed: A Mermaid flowchart takes any plain word as the id of a node, except the lowercase `end`, which is an error;
#          the id of a subgraph follows the same rules.
# Seen:    Stages called `call`, `href`, `interpolate`, `class`, `style`, `graph` or `_self` are syntax errors, and so is
#          `end-to-end`, because it begins with `end`; `week-end` is fine. Two are lost without an error: an edge from
#          `click` vanishes together with its other end, and a subgraph called `end` takes its own first line for its
#          title, so that its nodes vanish. `default` is a node, but no subgraph.
# With:    mermaid 11.17.2, jsdom 26.1.0 (npm).
# Matters: A graph of stages or environments that uses their names as ids can lose one of them in a picture that looks
#          complete. Numbered ids with quoted labels cannot.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" mermaid@11.17.2 jsdom@26.1.0 >/dev/null
cat > ids.mjs <<'J'
import { JSDOM } from "jsdom";
const page = new JSDOM("<!DOCTYPE html><body></body>");
globalThis.window = page.window; globalThis.document = page.window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({});
// What is left of a graph: its nodes, without those that are always there.
const read = async text => {
  try {
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(`flowchart LR\n  first --> second\n${text}`);
    return [...db.getVertices().keys()].filter(id => !["first", "second"].includes(id)).join(" ") || "nothing";
  } catch { return "error"; }
};
for (const word of ["prod", "week-end", "default", "call", "href", "interpolate", "class", "style", "graph", "_self",
                    "end", "end-to-end", "click"]) {
  const node = await read(`  ${word} --> last\n`);
  const subgraph = await read(`  subgraph ${word}\n    inside\n  end\n`);
  console.log(`${word}: ${node}; ${subgraph}`);
}
console.log(`numbered: ${await read('  subgraph s0 ["end"]\n    l0["click<br>live"]\n  end\n')}`);
J
node ids.mjs > seen
cat seen
diff seen - <<'S'
prod: prod last; inside
week-end: week-end last; inside
default: default last; error
call: error; error
href: error; error
interpolate: error; error
class: error; inside
style: error; inside
graph: error; inside
_self: error; error
end: error; nothing
end-to-end: error; inside
click: nothing; error
numbered: l0
S
