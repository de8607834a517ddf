#!/usr/bin/env bash
# Guessed: A daily time that a clock change repeats fires once in every cron library, and all of them treat the repeated
#          hour alike for an every-second-hour expression.
# Seen:    `30 2 * * *` in Europe/Berlin on the last Sunday of October fires TWICE with croniter, once with cronsim,
#          cron-parser, croner and cron (npm). `0 */2 * * *` fires in both repeated hours, but with cron-parser and cron
#          only in the first, so that two runs are three hours apart.
# With:    croniter 7.0.0, cronsim 2.8, tzdata 2026.6 (PyPI); cron-parser 5.10.6, croner 11.0.1, cron 4.4.0, luxon 3.7.2 (npm).
# Matters: A nightly deployment runs twice in one night, or a window opens that another tool does not expect.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check croniter==7.0.0 cronsim==2.8 tzdata==2026.6
npm install --silent --no-audit --no-fund --prefix "$work" cron-parser@5.10.6 croner@11.0.1 cron@4.4.0 luxon@3.7.2 >/dev/null
cat > next.js <<'J'
const [expr, zone, from, n] = process.argv.slice(2), out = {}, short = d => d.toISOString().slice(5, 16);
const it = require("cron-parser").CronExpressionParser.parse(expr, { currentDate: from, tz: zone });
out["cron-parser"] = Array.from({ length: +n }, () => short(it.next().toDate()));
out["croner"] = new (require("croner").Cron)(expr, { timezone: zone }).nextRuns(+n, new Date(from)).map(short);
let at = require("luxon").DateTime.fromISO(from, { zone });
out["cron"] = Array.from({ length: +n }, () => { at = new (require("cron").CronTime)(expr, zone).getNextDateFrom(at, zone); return short(at.toJSDate()); });
console.log(JSON.stringify(out));
J
v/bin/python - <<'P'
import json, subprocess
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
from croniter import croniter
from cronsim import CronSim
zone, start = "Europe/Berlin", "2024-10-26T22:30:00Z"
def runs(expr, n):
    s = datetime.fromisoformat(start.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
    short = lambda d: d.astimezone(timezone.utc).strftime("%m-%dT%H:%M")
    a, b = croniter(expr, s), CronSim(expr, s)
    out = {"croniter": [short(a.get_next(datetime)) for _ in range(n)], "cronsim": [short(next(b)) for _ in range(n)]}
    out.update(json.loads(subprocess.run(["node", "next.js", expr, zone, start, str(n)], check=True, capture_output=True, text=True).stdout))
    print(expr, "(times in UTC)")
    for k, v in out.items(): print("  ", f"{k:11}", *v)
    return out
daily, second = runs("30 2 * * *", 2), runs("0 */2 * * *", 3)
assert daily["croniter"] == ["10-27T00:30", "10-27T01:30"]
assert all(v == ["10-27T00:30", "10-28T01:30"] for k, v in daily.items() if k != "croniter"), daily
for k, v in second.items():
    assert v == ["10-27T00:00", *([] if k in ("cron-parser", "cron") else ["10-27T01:00"]), "10-27T03:00", "10-27T05:00"][:3], second
P
echo "seen: croniter fires a daily time twice in the overlap; cron-parser and cron leave the second of a doubled hour out"
