#!/usr/bin/env bash
# Guessed: A converter from TAP to JUnit's XML shows that a run broke off: tests that the plan announced and that did not come,
#          and "Bail out!", become an error or at least a non-zero exit. A failed test marked TODO is no failure, a test beyond
#          the plan is one. A stream without anything in it is no pass.
# Seen:    tap-xunit, for a plan of five of which two came, and for "Bail out!": exit 0, and XML without any failure or error.
#          tap2junit shows both as errors, but takes a failed TODO, which TAP says is no failure, for a failure, and a test
#          beyond the plan for a pass. tap-parser, for a stream that ended before anything was written: ok, exit 0, as for
#          `1..0`, which says that there is nothing to do. tappy and prove judge as the guess; prove calls `1..0` NOTESTS and
#          exits with 0.
# With:    tap-xunit 2.4.1, tap-parser 18.3.4 (npm), tap2junit 0.2.0, tap.py 3.2.1 (PyPI), and the prove of Perl on this machine.
# Matters: A test run that was ended half-way is a passed check once it has gone through the converter. The exit code has to be
#          that of what wrote the stream (`set -o pipefail`), and a check on a report has to compare it with the plan.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check tap2junit==0.2.0 tap.py==3.2.1
npm install --silent --no-audit --no-fund --prefix "$work" tap-xunit@2.4.1 tap-parser@18.3.4 >/dev/null
printf 'TAP version 13\n1..2\nok 1 - a\nnot ok 2 - b\n' > failed
printf 'TAP version 13\n1..5\nok 1 - a\nok 2 - b\n' > short
printf 'TAP version 13\n1..3\nok 1 - a\nBail out! no database\n' > bail
printf 'TAP version 13\n1..2\nok 1 - a\nnot ok 2 - b # TODO later\n' > todo
printf 'TAP version 13\n1..1\nok 1 - a\nok 2 - b\n' > beyond
printf '1..0\n' > none
: > nothing
bad() { # OUTPUT: the failures and errors that the XML counts
  python3 -c 'import sys, xml.etree.ElementTree as E
suites = E.parse(sys.argv[1]).getroot().iter("testsuite")
print(sum(int(s.get("failures", 0)) + int(s.get("errors", 0)) for s in suites))' "$1" 2>/dev/null || echo unreadable
}
verdict() { if "$@" >out.xml 2>/dev/null; then echo "exit 0"; else echo "exit 1"; fi; }
expect() { # STREAM, what is seen
  local xunit junit seen; xunit=$(verdict node_modules/.bin/tap-xunit <"$1"); xunit+=" and $(bad out.xml)"
  rm -f junit.xml; junit=$(verdict v/bin/tap2junit -i "$1" -o junit.xml); if [ "$junit" = "exit 0" ]; then junit+=" and $(bad junit.xml)"; fi
  seen="tap-xunit $xunit; tap2junit $junit; tap-parser $(verdict node_modules/.bin/tap-parser <"$1")"
  seen+="; tappy $(verdict v/bin/tappy "$1"); prove $(verdict prove -e cat "$1")"
  printf '%-8s %s\n' "$1" "$seen"; [ "$seen" = "$2" ]
}
expect failed 'tap-xunit exit 1 and 1; tap2junit exit 0 and 1; tap-parser exit 1; tappy exit 1; prove exit 1'
expect short 'tap-xunit exit 0 and 0; tap2junit exit 0 and 3; tap-parser exit 1; tappy exit 1; prove exit 1'
expect bail 'tap-xunit exit 0 and 0; tap2junit exit 0 and 2; tap-parser exit 1; tappy exit 1; prove exit 1'
expect todo 'tap-xunit exit 0 and 0; tap2junit exit 0 and 1; tap-parser exit 0; tappy exit 0; prove exit 0'
expect beyond 'tap-xunit exit 1 and unreadable; tap2junit exit 0 and 0; tap-parser exit 1; tappy exit 1; prove exit 1'
expect none 'tap-xunit exit 0 and 0; tap2junit exit 0 and 0; tap-parser exit 0; tappy exit 0; prove exit 0'
expect nothing 'tap-xunit exit 1 and unreadable; tap2junit exit 1; tap-parser exit 0; tappy exit 1; prove exit 1'
echo "seen: a run of tests that broke off is a pass for tap-xunit, and one that said nothing is for tap-parser"
