#!/usr/bin/env bash
# Guessed: A window from 22:00 to 06:00 is 8 hours long, or 7 or 9 if the clocks change within it. The night after the change
#          is an ordinary night, and opening_hours and opening-hours-py agree on it.
# Seen:    To find a window of the day before that is still open, opening_hours goes back 24 hours. In the first hour of the day
#          after the clocks went forward, that is two days back. In Berlin, `Su 22:00-06:00` of 29 March 2026 is closed on
#          Monday from 00:00 to 01:00, and the freeze `24/7; Su 20:00-08:00 off` is lifted for that hour. The same holds for a
#          date (`Mar 29 22:00-06:00`), and for half an hour on Lord Howe Island. And getState says that `Sa 22:00-06:00` is
#          open in that hour of Monday, while getOpenIntervals says that it is not. In Cairo, where clocks change on a
#          Friday, getState has `Su-Th 22:00-06:00` open on Saturday from 00:00 to 01:00. `22:00-06:00` without a day is right,
#          and so is opening-hours-py throughout.
# With:    opening_hours 3.15.0 (npm); opening-hours-py 2.1.4, tzdata 2026.6 (PyPI).
# Matters: A freeze has a hole 21 hours after the change of clocks, when no test expects one. Tests must also cover the night
#          after each change. Two windows, one up to 24:00 and one from 00:00, have no hole.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" opening_hours@3.15.0 >/dev/null
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check opening-hours-py==2.1.4 tzdata==2026.6
cat > open.js <<'J'
const OpeningHours = require("opening_hours"), [text, from, hours] = process.argv.slice(2);
const rule = new OpeningHours(text), start = new Date(from), end = new Date(+start + hours * 3600e3);
const show = d => d.toString().slice(0, 3) + " " + d.toTimeString().slice(0, 5);
const state = [];
for (let at = +start, was = rule.getState(start); at < +end; at += 600e3) {
  const is = rule.getState(new Date(at));
  if (is !== was) state.push(show(new Date(at)));
  was = is;
}
const intervals = rule.getOpenIntervals(start, end).flatMap(([a, b]) => [a, b]).filter(d => +d > +start && +d < +end);
console.log(state.join(", ") + "\n" + intervals.map(show).join(", "));
J
cat > check.py <<'P'
import os, subprocess
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
from opening_hours import OpeningHours
def python(text, zone, start, hours):
    rule, changes, was = OpeningHours(text, timezone=ZoneInfo(zone)), [], None
    at = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)
    for _ in range(hours * 6):
        local = at.astimezone(ZoneInfo(zone))
        now = rule.is_open(local)
        if was is not None and now != was:
            changes.append(local.strftime("%a %H:%M"))
        was, at = now, at + timedelta(minutes=10)
    return ", ".join(changes)
def check(zone, start, text, state, intervals, right, hours=66):
    command = ["node", "open.js", text, start, str(hours)]
    out = subprocess.run(command, env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True).stdout
    seen = [*out.splitlines(), python(text, zone, start, hours)]
    print(f"{zone}, {text}\n  getState          {seen[0]}\n  getOpenIntervals  {seen[1]}\n  opening-hours-py  {seen[2]}")
    assert seen == [state, intervals or state, right], seen
berlin, cairo = ("Europe/Berlin", "2026-03-28T12:00"), ("Africa/Cairo", "2026-04-23T12:00")
howe = ("Australia/Lord_Howe", "2026-10-03T12:00")
hole, whole = "Sun 22:00, Mon 00:00, Mon 01:00, Mon 06:00", "Sun 22:00, Mon 06:00"
check(*berlin, "Su 22:00-06:00", hole, None, whole)
check(*berlin, "Mar 29 22:00-06:00", hole, None, whole)
check(*berlin, "24/7; Su 20:00-08:00 off", "Sun 20:00, Mon 00:00, Mon 01:00, Mon 08:00", None, "Sun 20:00, Mon 08:00")
check(*berlin, "Sa 22:00-06:00", "Sat 22:00, Sun 06:00, Mon 00:00, Mon 01:00", "Sat 22:00, Sun 06:00", "Sat 22:00, Sun 06:00")
check(*berlin, "22:00-06:00", *["Sat 22:00, Sun 06:00, Sun 22:00, Mon 06:00, Mon 22:00, Tue 06:00"] * 3)
check(*berlin, "Su 22:00-24:00; Mo 00:00-06:00", whole, None, whole)
check("Europe/Berlin", "2026-10-24T12:00", "Su 22:00-06:00", whole, None, whole)
check(*cairo, "Su-Th 22:00-06:00", "Thu 22:00, Fri 06:00, Sat 00:00, Sat 01:00", "Thu 22:00, Fri 06:00", "Thu 22:00, Fri 06:00")
check(*howe, "Su 22:00-06:00", "Sun 22:00, Mon 00:00, Mon 00:30, Mon 06:00", None, whole)
P
v/bin/python check.py
echo "seen: a night window has a hole on the day after the clocks went forward"
