#!/usr/bin/env bash
# Guessed: With a lunch break in the working hours, which moment-business-time documents, workingDiff counts what
#          addWorkingTime adds, and it is never negative from an earlier to a later time.
# Seen:    If the later time is before the end of the break, the hours after the break are subtracted. With 09:00 to 12:00
#          and 13:00 to 18:00, the count from 09:00 is -120 minutes at 10:00, 0 at 11:00 and 120 at 12:00; the next
#          morning it falls from 480 at 09:00 to 300 at 09:30. Of all pairs of half hours in two days, with the first one on
#          the first day, 490 of 3480 are wrong. addWorkingTime is right: 09:00 plus 180 minutes is 12:00. dayjs-business-time
#          counts every pair correctly.
# With:    moment-business-time 2.0.0, moment 2.31.0, dayjs-business-time 1.0.4, dayjs 1.11.23 (npm).
# Matters: "Has it been in staging for eight working hours?" is yes in the evening and no the next morning. Compare the time
#          with start plus eight hours instead.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" moment-business-time@2.0.0 moment@2.31.0 dayjs-business-time@1.0.4 \
  dayjs@1.11.23 >/dev/null
cat > diff.js <<'J'
const assert = require("assert"), moment = require("moment-business-time"), dayjs = require("dayjs");
dayjs.extend(require("dayjs-business-time"));
const hours = {}, week = {}, segment = (start, end) => ({ start: `${start}:00:00`, end: `${end}:00:00` });
["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"].forEach((name, day) => {
  hours[day] = day % 6 ? ["09:00:00", "12:00:00", "13:00:00", "18:00:00"] : null;
  week[name] = day % 6 ? [segment("09", "12"), segment("13", "18")] : null;
});
moment.updateLocale("en", { workinghours: hours, holidays: [] });
dayjs.setBusinessTime(week);
const diff = (from, to) => moment(to).workingDiff(moment(from), "minutes") + 0; // no -0
const monday = "2026-06-08T09:00";
const seen = ["08T09:30", "08T10:00", "08T11:00", "08T12:00", "08T13:30", "08T18:00", "09T09:00", "09T09:30", "09T12:00", "09T14:00"].map(
  to => `${to} ${diff(monday, "2026-06-" + to)}`);
console.log("minutes from Monday 08T09:00 to", seen.join(", "));
assert.deepStrictEqual(seen, ["08T09:30 -180", "08T10:00 -120", "08T11:00 0", "08T12:00 120", "08T13:30 210", "08T18:00 480",
  "09T09:00 480", "09T09:30 300", "09T12:00 600", "09T14:00 720"]);
const added = [60, 180, 240, 540].map(n => moment(monday).addWorkingTime(n, "minutes").format("DD[T]HH:mm"));
console.log("Monday 09:00 plus 60, 180, 240, 540 minutes:", added.join(", "));
assert.deepStrictEqual(added, ["08T10:00", "08T12:00", "08T14:00", "09T10:00"]);
const at = half => new Date(Date.UTC(2026, 5, 8) + half * 1800e3);
const works = half => { const hour = (half % 48) / 2; return (hour >= 9 && hour < 12) || (hour >= 13 && hour < 18); };
const wrong = { moment: 0, dayjs: 0, added: 0 };
let pairs = 0;
for (let from = 0; from < 48; from++) {
  for (let to = from, real = 0; to < 96; to++) {
    pairs++;
    wrong.moment += diff(at(from), at(to)) !== real;
    wrong.dayjs += Math.abs(dayjs(at(from)).businessMinutesDiff(dayjs(at(to)))) !== real;
    if (works(to)) {
      real += 30;
      wrong.added += +moment(at(from)).addWorkingTime(real, "minutes") !== +at(to + 1);
    }
  }
}
console.log("wrong of", pairs, wrong);
assert.deepStrictEqual([pairs, wrong], [3480, { moment: 490, dayjs: 0, added: 0 }]);
J
node diff.js
echo "seen: working time up to a moment before the break is too short, or negative"
