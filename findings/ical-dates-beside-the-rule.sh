#!/usr/bin/env bash
# Guessed: A series of events is DTSTART and what RRULE and RDATE add, without what EXDATE names (RFC 5545, 3.8.5.1 and 3.8.5.2).
#          Readers that expand series do that, or refuse a property that they do not know.
# Seen:    Only recurring-ical-events does. node-ical and icalevents ignore RDATE without a word, with and without a rule. ical.js
#          drops the first event, DTSTART, of a series with RDATE and without a rule. With two events a day (BYHOUR=9,17), an
#          EXDATE for the one at 9:00 takes out both in icalevents.
# With:    ical.js 2.2.1, node-ical 0.26.1 (npm); icalendar 7.3.2, recurring-ical-events 3.8.2, icalevents 0.3.1,
#          tzdata 2026.6 (PyPI).
# Matters: A freeze calendar with a list of dates (a holiday each year, a fair on other days each time) is a freeze on the
#          first date only, or on all but the first. Someone deploys in a freeze, and nothing reports it.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check icalendar==7.3.2 recurring-ical-events==3.8.2 icalevents==0.3.1 tzdata==2026.6
npm install --silent --no-audit --no-fund --prefix "$work" ical.js@2.2.1 node-ical@0.26.1 >/dev/null
cat > expand.mjs <<'J'
import fs from "node:fs"; import node from "node-ical"; import ICAL from "ical.js";
const text = fs.readFileSync(0, "utf8"), out = {}, short = date => date.toISOString().slice(5, 16);
const file = new ICAL.Component(ICAL.parse(text)), iterator = new ICAL.Event(file.getFirstSubcomponent("vevent")).iterator();
out["ical.js"] = [];
for (let at; (at = iterator.next());) out["ical.js"].push(short(at.toJSDate()));
const series = Object.values(node.sync.parseICS(text)).find(part => part.type === "VEVENT");
out["node-ical"] = node.expandRecurringEvent(series, { from: new Date("2024-03-01"), to: new Date("2024-05-01") }).map(event => short(event.start));
console.log(JSON.stringify(out));
J
v/bin/python - <<'P'
import json, subprocess, icalendar, recurring_ical_events
from datetime import datetime, timezone
from icalevents.icalevents import events
def expand(*series):
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "BEGIN:VEVENT", "UID:1@example.org", "DTSTAMP:20240101T000000Z",
                        *series, "DURATION:PT1H", "SUMMARY:freeze", "END:VEVENT", "END:VCALENDAR", ""])
    first, last = (datetime(2024, month, 1, tzinfo=timezone.utc) for month in (3, 5))
    out = json.loads(subprocess.run(["node", "expand.mjs"], input=text, check=True, capture_output=True, text=True).stdout)
    of = recurring_ical_events.of(icalendar.Calendar.from_ical(text))
    out["recurring-ical-events"] = [event.start.strftime("%m-%dT%H:%M") for event in of.between(first, last)]
    out["icalevents"] = [event.start.strftime("%m-%dT%H:%M") for event in events(string_content=text, start=first, end=last)]
    return {name: sorted(seen) for name, seen in out.items()}
def check(right, others, *series):
    print(*series)
    for name, seen in expand(*series).items():
        print("  ", f"{name:21}", *seen)
        assert seen == others.get(name, right), name
def at(*days, hour="12"): return [f"04-{day:02}T{hour}:00" for day in days]
check(at(8, 9, 11), {"ical.js": at(9, 11), "node-ical": at(8), "icalevents": at(8)}, "DTSTART:20240408T120000Z", "RDATE:20240409T120000Z,20240411T120000Z")
check(at(8, 9, 11), {"node-ical": at(8, 9), "icalevents": at(8, 9)}, "DTSTART:20240408T120000Z", "RRULE:FREQ=DAILY;COUNT=2", "RDATE:20240411T120000Z")
twice = sorted(at(8, 10, hour="09") + at(8, 10, hour="17"))
check(sorted(twice + at(9, hour="17")), {"icalevents": twice}, "DTSTART:20240408T090000Z", "RRULE:FREQ=DAILY;BYHOUR=9,17;COUNT=6", "EXDATE:20240409T090000Z")
check(at(8, 10), {}, "DTSTART:20240408T120000Z", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20240409T120000Z")
P
echo "seen: dates beside the rule are lost, or more than they name"
