#!/usr/bin/env bash
# Guessed: Cron libraries that move a skipped time to the end of a one-hour gap do the same for the half-hour change of
#          Lord Howe Island.
# Seen:    For `15 2 * * *`, which does not exist there on 6 October 2024, cron-parser skips the day (in Berlin it does
#          not), cron (npm) fires twice that day, half an hour apart, and croniter, cronsim and croner fire once at the
#          end of the gap. In April, when nothing is repeated at 02:30, cron fires `30 2 * * *` twice before two
#          o'clock.
# With:    croniter 7.0.0, cronsim 2.8, tzdata 2026.6 (PyPI); cron-parser 5.10.6, croner 11.0.1, cron 4.4.0, luxon 3.7.2 (npm).
# Matters: Code that handles one-hour changes correctly steps by whole hours somewhere; a window may open twice or
#          never.
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
zone = "Australia/Lord_Howe"
def runs(expr, start, n=2):
    s = datetime.fromisoformat(start.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
    short = lambda d: d.astimezone(timezone.utc).strftime("%m-%dT%H:%M")
    a, b = croniter(expr, s), CronSim(expr, s)
    out = {"croniter": [short(a.get_next(datetime)) for _ in range(n)], "cronsim": [short(next(b)) for _ in range(n)]}
    out.update(json.loads(subprocess.run(["node", "next.js", expr, zone, start, str(n)], check=True, capture_output=True, text=True).stdout))
    print(expr, "(times in UTC)")
    for k, v in out.items(): print("  ", f"{k:11}", *v)
    return out
gap, overlap = runs("15 2 * * *", "2024-10-05T00:00:00Z"), runs("30 2 * * *", "2024-04-06T00:00:00Z")
for k in ("croniter", "cronsim", "croner"):
    assert gap[k] == ["10-05T15:30", "10-06T15:15"], (k, gap)
    assert overlap[k] == ["04-06T16:00", "04-07T16:00"], (k, overlap)
assert gap["cron-parser"] == ["10-06T15:15", "10-07T15:15"], gap
assert overlap["cron-parser"] == ["04-06T16:00", "04-07T16:00"], overlap
assert gap["cron"] == ["10-05T15:15", "10-05T15:45"], gap
assert overlap["cron"] == ["04-06T14:30", "04-06T15:00"], overlap
P
echo "seen: three answers to one skipped half hour"
