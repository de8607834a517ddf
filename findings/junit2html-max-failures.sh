#!/usr/bin/env bash
# Guessed: `junit2html --max-failures 1 report.xml` exits with something other than 0 if a test in the report failed, unless the
#          report is merged with `--merge`: the help says "Exit non-zero if FAILURES or more test cases are failures (has no
#          effect with --merge)".
# Seen:    The other way round: with one report and its page it has no effect, and with --merge it has, as with -s and -m. There
#          the exit code is the number of failures, of which the shell gets the remainder by 256: 255 failed tests are
#          255, and 256 or 512 are 0, a success. With `--max-failures 0` nothing is checked.
# With:    junit2html 31.1.4 (PyPI).
# Matters: A check that consists of this command passes always in the one form, and for some counts in the other. Whatever
#          turns a count into an exit code must say only yes or no.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check junit2html==31.1.4
report() { # FAILED
  local i
  echo "<testsuites><testsuite name=\"s\" tests=\"$1\" failures=\"$1\" errors=\"0\" time=\"1\">"
  for ((i = 0; i < $1; i++)); do echo "<testcase name=\"t$i\" classname=\"s\" time=\"1\"><failure message=\"no\">no</failure></testcase>"; done
  echo '</testsuite></testsuites>'
}
for count in 1 255 256 257 512; do report $count > $count.xml; done
expect() { # CODE, arguments
  local code=0; v/bin/junit2html "${@:2}" >/dev/null 2>&1 || code=$?
  printf '%-55s exits with %s\n' "${*:2}" "$code"; [ "$code" = "$1" ]
}
v/bin/junit2html --help | tr -s ' \n' ' ' | grep -o -- '--max-failures FAILURES Exit[^)]*)'
expect 0 --max-failures 1 1.xml page.html
expect 0 --max-failures 1 257.xml page.html
expect 1 --merge merged.xml --max-failures 1 1.xml
expect 1 --summary-matrix --max-failures 1 1.xml
expect 0 --summary-matrix --max-failures 0 1.xml
expect 255 --summary-matrix --max-failures 1 255.xml
expect 0 --summary-matrix --max-failures 1 256.xml
expect 1 --summary-matrix --max-failures 1 257.xml
expect 0 --report-matrix page.html --max-failures 1 512.xml
echo "seen: junit2html's limit of failures is not applied to a single report, and 256 failures are none"
