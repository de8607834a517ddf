#!/usr/bin/env bash
# Guessed: A report of a test run (JUnit XML, CTRF or TAP) shows what made the run fail. A test file that cannot be loaded and a
#          cleanup that fails are in it as a failure or an error, if not as a test of their own.
# Seen:    The runs exit with 1, and these reports say that all is well. A file that cannot be loaded is missing from the
#          reports of jest-junit (failures="0" errors="0"), jest-ctrf-json-reporter (one test, passed), pytest-tap (`1..1`,
#          `ok`) and pytest-json-ctrf ("failed": 0). pytest by default runs no test then: pytest-json-ctrf reports zero tests,
#          and pytest-tap plans one test and tells of none. A failing afterAll is missing from jest-ctrf-json-reporter;
#          jest-junit writes a <failure> that its own counts leave out. A fixture whose cleanup fails is `ok` for pytest-tap.
#          Only pytest's own XML has it all.
# With:    jest 30.5.2, jest-junit 17.0.0, jest-ctrf-json-reporter 0.0.11 (npm), pytest 9.0.3, pytest-tap 3.5,
#          pytest-json-ctrf 0.6.1 (PyPI). With pytest 9.2.0, pytest-tap 3.5 does not start.
# Matters: The more of a change is broken, the better its report looks: a syntax error in a test file takes away its failures.
#          Evidence that a check passed must be the job's own result; a gate on a report must also know how many tests to
#          expect.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check pytest==9.0.3 pytest-tap==3.5 pytest-json-ctrf==0.6.1
npm install --silent --no-audit --no-fund --prefix "$work" jest@30.5.2 jest-junit@17.0.0 jest-ctrf-json-reporter@0.0.11 >/dev/null
mkdir load cleanup
echo 'test("fine", () => {});' | tee load/fine.test.js > cleanup/fine.test.js
echo 'require("./no-such-file"); test("other", () => {});' > load/other.test.js
echo 'afterAll(() => { throw new Error("could not stop"); }); test("other", () => {});' > cleanup/other.test.js
echo 'def test_fine(): pass' | tee load/test_fine.py > cleanup/test_fine.py
printf 'import no_such_module\ndef test_other(): pass\n' > load/test_other.py
cat > cleanup/test_other.py <<'P'
import pytest
@pytest.fixture
def server():
    yield
    raise RuntimeError("could not stop")
def test_other(server): pass
P
counts() { grep -o '<testsuites\? [^>]*' "$1" | head -"${2:-1}" | tail -1 | grep -oE ' (tests|failures|errors)="[0-9]+"' | sort | tr -d '\n'; }
ctrf() {
  python3 -c 'import json, sys; s = json.load(open(sys.argv[1]))["results"]["summary"]; print(s["tests"], "tests,", s["failed"], "failed")' "$1"
}
say() { printf '%-58s %s\n' "$1" "$2"; [ "$2" = "$3" ]; }
for case in load cleanup; do
  echo '{"name": "example", "version": "1.0.0"}' > $case/package.json
  code=0; (cd $case; ../node_modules/.bin/jest --ci --reporters=jest-junit --reporters=jest-ctrf-json-reporter >log 2>&1) || code=$?
  say "$case: jest exits with" $code 1
done
say "load: jest-junit" "$(counts load/junit.xml)" ' errors="0" failures="0" tests="1"'
say "load: <failure> or <error> in it" "$(grep -cE '<(failure|error)' load/junit.xml || true)" 0
say "load: jest-ctrf-json-reporter" "$(ctrf load/ctrf/ctrf-report.json)" '1 tests, 0 failed'
say "cleanup: jest-junit" "$(counts cleanup/junit.xml)" ' errors="0" failures="0" tests="2"'
say "cleanup: <failure> or <error> in it" "$(grep -cE '<(failure|error)' cleanup/junit.xml || true)" 1
say "cleanup: jest-ctrf-json-reporter" "$(ctrf cleanup/ctrf/ctrf-report.json)" '2 tests, 0 failed'
tap() { grep -E '^(1\.\.|ok|not ok|Bail)' "$1" | sed 's/ [^ ]*::/ /' | tr '\n' ';'; }
run() { # FOLDER, arguments
  local code=0; (cd "$1"; ../v/bin/pytest -p no:cacheprovider --junitxml own.xml --ctrf ctrf.json "${@:2}" >log 2>&1) || code=$?
  (cd "$1"; ../v/bin/pytest -p no:cacheprovider --tap "${@:2}" >tap 2>/dev/null) || true
  echo $code
}
say "load: pytest exits with" "$(run load)" 2
say "load: pytest-json-ctrf" "$(ctrf load/ctrf.json)" '0 tests, 0 failed'
say "load: pytest-tap" "$(tap load/tap)" '1..1;'
say "load: pytest's own XML" "$(counts load/own.xml 2)" ' errors="1" failures="0" tests="1"'
say "load, going on: pytest exits with" "$(run load --continue-on-collection-errors)" 1
say "load, going on: pytest-json-ctrf" "$(ctrf load/ctrf.json)" '1 tests, 0 failed'
say "load, going on: pytest-tap" "$(tap load/tap)" '1..1;ok 1 test_fine;'
say "load, going on: pytest's own XML" "$(counts load/own.xml 2)" ' errors="1" failures="0" tests="2"'
say "cleanup: pytest exits with" "$(run cleanup)" 1
say "cleanup: pytest-json-ctrf" "$(ctrf cleanup/ctrf.json)" '2 tests, 1 failed'
say "cleanup: pytest-tap" "$(tap cleanup/tap)" '1..2;ok 1 test_fine;ok 2 test_other;'
say "cleanup: pytest's own XML" "$(counts cleanup/own.xml 2)" ' errors="1" failures="0" tests="3"'
echo "seen: reports of failed test runs in which nothing failed"
