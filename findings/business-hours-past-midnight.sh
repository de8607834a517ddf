#!/usr/bin/env bash
# Guessed: pandas adds business hours correctly in a window that passes midnight (22:00 to 06:00); in its documentation,
#          Saturday 04:00 counts if the window began on Friday. Adding n hours at once equals adding one hour n times.
#          businesstimedelta, which documents night shifts, counts the hours between two times of a shift.
# Seen:    pandas moves by whole days first, and after midnight it does so from the wrong day. From Friday 02:00, 6 hours lead
#          to Saturday 00:00, as they should; 8 lead to Monday 02:00, which is in no window; 9 to a Tuesday eleven days later;
#          and 16 to the Tuesday before that. 14 hours at once end 8 days later than 14 times one hour. Subtraction fails
#          for a window that ends at midnight, too: Tuesday 12:00 less 9 hours of 16:00 to 00:00 is Sunday 23:00. For every
#          half hour of a week and 1 to 40 hours, 384 of 13440 sums and 5814 of 13440 differences are wrong with 22:00 to
#          06:00, and none with 09:00 to 17:00. businesstimedelta counts nothing of the night in which an interval starts:
#          7 hours from 21:00 to 05:00, 0 from 22:00 to 05:00, and 7 of 14 from 23:00 to 05:00 two days later.
# With:    pandas 3.1.1 (numpy 2.4.6), businesstimedelta 1.0.1 (pytz 2026.6), all PyPI.
# Matters: A change that must spend 9 hours of a night window in staging waits for eleven days if it arrives after midnight on
#          a Friday. Test such rules with starts and ends after midnight, against a count in small steps.
set -euo pipefail
export TZ=UTC; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip install -q --no-compile --disable-pip-version-check pandas==3.1.1 numpy==2.4.6 businesstimedelta==1.0.1 pytz==2026.6
v/bin/python - <<'P'
from datetime import datetime, time, timedelta
import businesstimedelta, pandas
night, evening, day = ("22:00", "06:00"), ("16:00", "00:00"), ("09:00", "17:00")
at = lambda text: pandas.Timestamp(f"2026-06-{text}")
show = lambda moment: moment.strftime("%a %d %H:%M")
def hours(n, window):
    return pandas.offsets.BusinessHour(n, start=window[0], end=window[1])
friday = at("05 02:00")
seen = {n: show(friday + hours(n, night)) for n in (5, 6, 8, 9, 14, 15, 16)}
step = friday
for _ in range(14):
    step += hours(1, night)
print("from Fri 05 02:00:", seen, "and 14 times one:", show(step))
assert seen == {5: "Fri 05 23:00", 6: "Sat 06 00:00", 8: "Mon 08 02:00", 9: "Tue 16 03:00", 14: "Wed 17 00:00", 15: "Wed 17 01:00",
                16: "Tue 09 02:00"}
assert show(step) == "Tue 09 00:00"
assert hours(1, night).is_on_offset(at("06 02:00")) and not hours(1, night).is_on_offset(friday + hours(8, night))
less = {n: show(at("09 12:00") - hours(n, evening)) for n in (1, 7, 8, 9)}
print("before Tue 09 12:00, 16:00 to 00:00:", less)
assert less == {1: "Mon 08 23:00", 7: "Mon 08 17:00", 8: "Mon 08 00:00", 9: "Sun 07 23:00"}

first = datetime(2026, 5, 11)
def counted(window):
    begin, end = (time.fromisoformat(text) for text in window)
    def inside(moment):
        for date in (moment.date(), moment.date() - timedelta(days=1)):
            opened = datetime.combine(date, begin)
            closed = datetime.combine(date + timedelta(days=end < begin), end)
            if date.weekday() < 5 and opened <= moment < closed:
                return True
        return False
    before = [0]
    for half in range(48 * 60):
        before.append(before[-1] + inside(first + timedelta(minutes=30 * half)))
    index = lambda moment: int((moment - first) / timedelta(minutes=30))
    total = sums = differences = 0
    for half in range(48 * 21, 48 * 28):
        moment = pandas.Timestamp(first + timedelta(minutes=30 * half))
        for n in range(1, 41):
            total += 1
            sums += before[index(moment + hours(n, window))] - before[half] != 2 * n
            differences += before[half] - before[index(moment - hours(n, window))] != 2 * n
    return sums, differences, total
for window, expected in [(day, (0, 0, 13440)), (evening, (0, 5052, 13440)), (night, (384, 5814, 13440))]:
    got = counted(window)
    print(" to ".join(window), "wrong sums and differences:", got)
    assert got == expected, (window, got)

rule = businesstimedelta.WorkDayRule(start_time=time(22), end_time=time(6), working_days=[0, 1, 2, 3, 4])
shift = businesstimedelta.Rules([rule])
between = lambda one, two: shift.difference(at(one).to_pydatetime(), at(two).to_pydatetime()).hours
pairs = [("01 21:00", "02 05:00"), ("01 22:00", "02 05:00"), ("02 02:00", "02 05:00"), ("01 23:00", "03 05:00")]
parts = [between(*pair) for pair in pairs]
print("businesstimedelta:", ", ".join(f"{one} to {two}: {part} h" for (one, two), part in zip(pairs, parts)))
assert parts == [7, 0, 0, 7]
P
echo "seen: business hours past midnight are lost, or end days later"
