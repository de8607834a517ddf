#!/usr/bin/env bash
# Guessed: UNTIL of a series in a time zone is an instant in UTC, as RFC 5545 (3.3.10) requires, and includes it. So
#          every reader agrees on which event is the last.
# Seen:    For a weekly event at 16:00 in Berlin (14:00 UTC in April), rrule (npm) compares the digits of UNTIL with the
#          clock on the wall: UNTIL=20240405T140000Z leaves 5 April out. It also ignores EXDATE:20240405T140000Z for a
#          series with a TZID. icalevents adds the offset of the zone to UNTIL, in summer two hours:
#          UNTIL=20240412T135959Z, a second before the event of 12 April, still has it, and so has 20240412T120000Z.
# With:    rrule 2.8.1, ical.js 2.2.1, node-ical 0.26.1, rrule-temporal 1.6.0 (npm); icalendar 7.3.2,
#          recurring-ical-events 3.8.2, icalevents 0.3.1, tzdata 2026.6 (PyPI).
# Matters: The last freeze of a series is missing, or an exception for one Friday is not made. Where a series was split
#          by an UNTIL a second before the next event, icalevents has that event twice.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check icalendar==7.3.2 recurring-ical-events==3.8.2 icalevents==0.3.1 tzdata==2026.6
npm install --silent --no-audit --no-fund --prefix "$work" rrule@2.8.1 ical.js@2.2.1 node-ical@0.26.1 rrule-temporal@1.6.0 >/dev/null
cat > days.js <<'J'
const text = require("fs").readFileSync(0, "utf8"), node = require("node-ical"), out = {}, short = d => d.toISOString().slice(5, 10);
(async () => {
  const { default: ICAL } = await import("ical.js"), file = new ICAL.Component(ICAL.parse(text));
  for (const zone of file.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
  const iterator = new ICAL.Event(file.getFirstSubcomponent("vevent")).iterator();
  out["ical.js"] = [];
  for (let at; (at = iterator.next());) out["ical.js"].push(short(at.toJSDate()));
  const series = Object.values(node.sync.parseICS(text)).find(c => c.type === "VEVENT");
  out["node-ical"] = node.expandRecurringEvent(series, { from: new Date("2024-03-01"), to: new Date("2024-05-01") }).map(e => short(e.start));
  const rule = text.split("END:VTIMEZONE")[1].match(/^(DTSTART|RRULE|EXDATE).*$/gm).join("\n");
  out["rrule"] = require("rrule").rrulestr(rule).all().map(short);
  console.log(JSON.stringify(out));
})();
J
v/bin/python - <<'P'
import json, subprocess, icalendar, recurring_ical_events
from datetime import datetime, timezone
from icalevents.icalevents import events
BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE"""
def days(start, *rule):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", *BERLIN.split("\n"), "BEGIN:VEVENT", "UID:1@example.org", "DTSTAMP:20240101T000000Z",
             f"DTSTART;TZID=Europe/Berlin:{start}T160000", "DURATION:PT2H", *rule, "END:VEVENT", "END:VCALENDAR", ""]
    text = "\r\n".join(lines)
    first, last = (datetime(2024, m, 1, tzinfo=timezone.utc) for m in (3, 5))
    out = json.loads(subprocess.run(["node", "days.js"], input=text, check=True, capture_output=True, text=True).stdout)
    out["recurring-ical-events"] = [e.start.strftime("%m-%d") for e in recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(first, last)]
    out["icalevents"] = sorted(e.start.strftime("%m-%d") for e in events(string_content=text, start=first, end=last))
    print("from", start, *rule)
    for name, seen in out.items(): print("  ", f"{name:21}", *seen)
    return out
def check(right, others, start, *rule):
    for name, seen in days(start, *rule).items():
        assert seen == others.get(name, right), (name, seen)
march, fifth, twelfth = ["03-22", "03-29"], ["04-05"], ["04-12"]
check(march + fifth, {"rrule": march}, "20240322", "RRULE:FREQ=WEEKLY;UNTIL=20240405T140000Z")
for until in "20240412T135959Z", "20240412T120000Z":
    check(fifth, {"icalevents": fifth + twelfth}, "20240405", "RRULE:FREQ=WEEKLY;UNTIL=" + until)
check(fifth, {}, "20240405", "RRULE:FREQ=WEEKLY;UNTIL=20240412T115959Z")
check(march + twelfth, {"rrule": march + fifth + twelfth}, "20240322", "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20240405T140000Z")
P
echo "seen: the last event of a series depends on the reader"
