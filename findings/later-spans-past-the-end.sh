#!/usr/bin/env bash
# Guessed: In the schedule text that Renovate reads, "on friday through monday" means four days. If the parser cannot go
#          past the end of the week, it reports an error.
# Seen:    It parses without an error, to an empty list, and an empty list means the LAST value of its kind: Saturday
#          only. "of november through february" means December only. A list that is not in the order from Sunday to
#          Saturday may lose a day: "on friday and saturday and sunday and monday" lacks Saturday.
# With:    @breejs/later 4.2.0 (npm). Renovate takes a text for valid if `error` is -1, and then asks `isValid`.
# Matters: A schedule for a long weekend holds on one of its days, or leaves one out, and no check of the configuration
#          says so.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" @breejs/later@4.2.0 >/dev/null
node - <<'J'
const assert = require("assert"), later = require("@breejs/later");
later.date.UTC();
const day = at => at.toUTCString().slice(0, 3), month = at => at.toUTCString().slice(8, 11);
function noons(text, name) { // the names of the days or months of 2024 that have a valid noon
  const parsed = later.parse.text(text), schedule = later.schedule(parsed), names = new Set();
  assert.strictEqual(parsed.error, -1, "no error in " + text);
  for (let n = 0; n < 366; n++) {
    const at = new Date(Date.UTC(2024, 0, 1 + n, 12));
    if (schedule.isValid(at)) names.add(name(at));
  }
  return [...names].join(" ");
}
for (const [text, name, want] of [
  ["on monday through friday", day, "Mon Tue Wed Thu Fri"],
  ["on friday through monday", day, "Sat"],
  ["on saturday through sunday", day, "Sat"],
  ["after 8:00 and before 20:00 on thursday through sunday", day, "Sat"],
  ["of october through december", month, "Oct Nov Dec"],
  ["of november through february", month, "Dec"],
  ["on sunday and monday and friday and saturday", day, "Mon Fri Sat Sun"],
  ["on friday and saturday and sunday and monday", day, "Mon Fri Sun"],
]) {
  const seen = noons(text, name);
  console.log(text.padEnd(54), "is valid on", seen);
  assert.strictEqual(seen, want);
}
J
echo "seen: a span that goes past Saturday or December means Saturday or December"
