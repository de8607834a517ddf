#!/usr/bin/env bash
# Guessed: The VTIMEZONE in an iCalendar file says what its TZID means (RFC 5545, 3.2.19), so every reader uses it. A
#          file means the same wherever it is read.
# Seen:    Only ical.js always does. icalendar, icalevents and node-ical use today's IANA rules if the TZID is an IANA
#          name: 16:00 in Mexico City in July 2024 is 21:00 UTC by a file from before Mexico gave up summer time, and
#          22:00 UTC by the name. And node-ical ignores the VTIMEZONE of a name that it does not know ("Factory Floor"):
#          it takes the time for one of the machine that reads the file.
# With:    ical.js 2.2.1, node-ical 0.26.1, rrule-temporal 1.6.0 (npm); icalendar 7.3.2, icalevents 0.3.1, tzdata 2026.6
#          (PyPI).
# Matters: The same file of freezes moves by an hour between two readers, or by the distance between two machines.
#          Events in UTC do not.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check icalendar==7.3.2 icalevents==0.3.1 tzdata==2026.6
npm install --silent --no-audit --no-fund --prefix "$work" ical.js@2.2.1 node-ical@0.26.1 rrule-temporal@1.6.0 >/dev/null
cat > start.js <<'J'
const text = require("fs").readFileSync(0, "utf8"), node = require("node-ical"), out = {}, short = d => d.toISOString().slice(5, 16);
(async () => {
  const { default: ICAL } = await import("ical.js"), file = new ICAL.Component(ICAL.parse(text));
  for (const zone of file.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
  out["ical.js"] = short(new ICAL.Event(file.getFirstSubcomponent("vevent")).startDate.toJSDate());
  out["node-ical"] = short(Object.values(node.sync.parseICS(text)).find(c => c.type === "VEVENT").start);
  console.log(JSON.stringify(out));
})();
J
cat > start.py <<'P'
import json, subprocess, sys, icalendar
from datetime import datetime, timezone
from icalevents.icalevents import events
# The rules of Mexico City from 2002 to 2022: UTC-6, in summer UTC-5.
def start(tzid):
    lines = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VTIMEZONE
TZID:{tzid}
BEGIN:DAYLIGHT
DTSTART:20020407T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU
TZOFFSETFROM:-0600
TZOFFSETTO:-0500
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20021027T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0600
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1@example.org
DTSTAMP:20220101T000000Z
DTSTART;TZID={tzid}:20240705T160000
DURATION:PT2H
END:VEVENT
END:VCALENDAR
"""
    text = lines.replace("\n", "\r\n")
    short = lambda d: d.astimezone(timezone.utc).strftime("%m-%dT%H:%M")
    year = [datetime(y, 1, 1, tzinfo=timezone.utc) for y in (2024, 2025)]
    out = json.loads(subprocess.run(["node", "start.js"], input=text, check=True, capture_output=True, text=True).stdout)
    out["icalendar"] = short(icalendar.Calendar.from_ical(text).walk("VEVENT")[0].start)
    out["icalevents"] = short(events(string_content=text, start=year[0], end=year[1])[0].start)
    print(f"{tzid}, read in {sys.argv[1]}:", ", ".join(f"{name} {at}" for name, at in out.items()), "UTC")
    return out
by_file, by_name = "07-05T21:00", "07-05T22:00"
named = start("America/Mexico_City")
assert named == {"ical.js": by_file, "node-ical": by_name, "icalendar": by_name, "icalevents": by_name}, named
other = start("Factory Floor")
assert other == {"ical.js": by_file, "node-ical": sys.argv[2], "icalendar": by_file, "icalevents": by_file}, other
P
TZ=UTC v/bin/python start.py UTC 07-05T16:00
TZ=Asia/Tokyo v/bin/python start.py Tokyo 07-05T07:00
echo "seen: the name of a zone outweighs the rules that a file brings, but not in every reader"
