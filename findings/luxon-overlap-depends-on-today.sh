#!/usr/bin/env bash
# Guessed: Luxon always resolves a repeated civil time to the earlier instant, like Temporal's "compatible".
# Seen:    Which of the two it chooses depends on the season in which the program runs: DateTime.fromObject and fromISO
#          start from the current offset. 27 October 2024, 02:30 in Berlin is 00:30 UTC when computed in July and 01:30
#          UTC when computed in January.
# With:    luxon 3.7.2 and temporal-polyfill 1.0.8 (npm).
# Matters: Plans from the same manifest for the same window differ between two days; a test of it fails with the clocks,
#          not with the code.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" luxon@3.7.2 temporal-polyfill@1.0.8 >/dev/null
node - <<'J'
const assert = require("assert"), { DateTime, Settings } = require("luxon"), { Temporal } = require("temporal-polyfill");
const zone = "Europe/Berlin", utc = d => d.toUTC().toISO().slice(0, 16);
const seen = {};
for (const [name, now] of [["July", "2026-07-01T00:00:00Z"], ["January", "2027-01-15T00:00:00Z"]]) {
  Settings.now = () => Date.parse(now);
  seen[name] = [utc(DateTime.fromObject({ year: 2024, month: 10, day: 27, hour: 2, minute: 30 }, { zone })), utc(DateTime.fromISO("2024-10-27T02:30", { zone }))];
  console.log("luxon, run in", name, seen[name]);
}
const t = Temporal.PlainDateTime.from("2024-10-27T02:30").toZonedDateTime(zone).toInstant().toString();
console.log("Temporal, any day", t);
assert.deepStrictEqual(seen.July, ["2024-10-27T00:30", "2024-10-27T00:30"]);
assert.deepStrictEqual(seen.January, ["2024-10-27T01:30", "2024-10-27T01:30"]);
assert.ok(t.startsWith("2024-10-27T00:30"));
J
echo "seen: Luxon's answer to a repeated time changes with the day it is asked"
