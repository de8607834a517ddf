#!/usr/bin/env bash
# Guessed: In a weekly event, DTEND is the time of day at which every event of the series ends. DURATION:P1D ends at the
#          same time the next day, and DURATION:PT24H after 24 hours.
# Seen:    RFC 5545 (3.8.5.3) says: DTEND gives every event the exact length of the first. So a freeze from Friday 16:00
#          to Monday 08:00 ends at 09:00 in the week in which clocks go forward; a series that starts in that week ends
#          at 07:00 ever after. node-ical and recurring-ical-events do that; ical.js and icalevents add 64 hours to the
#          clock on the wall. If the first event spans the change, those two add 63 hours, and end even this event at
#          07:00, against its own DTEND. For P1D and PT24H each reader has one answer: none of them is right about both.
# With:    ical.js 2.2.1, node-ical 0.26.1, rrule-temporal 1.6.0 (npm); icalendar 7.3.2, recurring-ical-events 3.8.2,
#          icalevents 0.3.1, tzdata 2026.6 (PyPI).
# Matters: A freeze written as a recurring event lifts an hour early in some programs, and in all of them every week if
#          it starts in the wrong one. Single events in UTC have one reading.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check icalendar==7.3.2 recurring-ical-events==3.8.2 icalevents==0.3.1 tzdata==2026.6
npm install --silent --no-audit --no-fund --prefix "$work" ical.js@2.2.1 node-ical@0.26.1 rrule-temporal@1.6.0 >/dev/null
cat > ends.js <<'J'
const text = require("fs").readFileSync(0, "utf8"), node = require("node-ical"), out = {}, short = d => d.toISOString().slice(5, 16);
(async () => {
  const { default: ICAL } = await import("ical.js"), file = new ICAL.Component(ICAL.parse(text));
  for (const zone of file.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
  const event = new ICAL.Event(file.getFirstSubcomponent("vevent")), starts = event.iterator();
  out["ical.js"] = Array.from({ length: 2 }, () => short(event.getOccurrenceDetails(starts.next()).endDate.toJSDate()));
  const series = Object.values(node.sync.parseICS(text)).find(c => c.type === "VEVENT");
  out["node-ical"] = node.expandRecurringEvent(series, { from: new Date("2024-03-01"), to: new Date("2024-05-01") }).map(e => short(e.end));
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
def ends(start, end):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", *BERLIN.split("\n"), "BEGIN:VEVENT", "UID:1@example.org", "DTSTAMP:20240101T000000Z",
             f"DTSTART;TZID=Europe/Berlin:{start}", end, "RRULE:FREQ=WEEKLY;COUNT=2", "END:VEVENT", "END:VCALENDAR", ""]
    text = "\r\n".join(lines)
    short = lambda d: d.astimezone(timezone.utc).strftime("%m-%dT%H:%M")
    first, last = (datetime(2024, m, 1, tzinfo=timezone.utc) for m in (3, 5))
    out = json.loads(subprocess.run(["node", "ends.js"], input=text, check=True, capture_output=True, text=True).stdout)
    out["recurring-ical-events"] = [short(e.end) for e in recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(first, last)]
    out["icalevents"] = [short(e.end) for e in sorted(events(string_content=text, start=first, end=last), key=lambda e: e.start)]
    print(f"from {start}, {end}: ends (in UTC)")
    for name, seen in out.items(): print("  ", f"{name:21}", *seen)
    return out
# The clocks of Berlin go forward on 31 March 2024 at 01:00 UTC; 08:00 is 07:00 UTC before and 06:00 UTC after.
def check(start, end, exact, wall):
    for name, seen in ends(start, end).items():
        assert seen == (wall if name in ("ical.js", "icalevents") else exact), (name, seen)
check("20240322T160000", "DTEND;TZID=Europe/Berlin:20240325T080000", ["03-25T07:00", "04-01T07:00"], ["03-25T07:00", "04-01T06:00"])
check("20240329T160000", "DTEND;TZID=Europe/Berlin:20240401T080000", ["04-01T06:00", "04-08T05:00"], ["04-01T05:00", "04-08T05:00"])
for day in ("P1D", "PT24H"):
    check("20240323T200000", "DURATION:" + day, ["03-24T19:00", "03-31T19:00"], ["03-24T19:00", "03-31T18:00"])
P
echo "seen: the end of a recurring freeze depends on the reader, and on the week in which the series starts"
