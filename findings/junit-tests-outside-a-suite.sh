#!/usr/bin/env bash
# Guessed: A tool that reads JUnit's XML finds every test case in the file, also directly below the root and in a suite within
#          a suite, so a failed test makes its verdict a failure. Or it says that it cannot read the file.
# Seen:    Node's own test runner writes both. Of a failed test that is in no suite, `junitparser verify`, junit2html and
#          test-results-parser see nothing and report no failure (exit 0, status "SKIP"); junit-to-ctrf says that the
#          conversion was completed and writes no file. junit-merge and `junitparser merge` write a file without the test.
#          Of a failed test in an inner suite, xunitparser and junit2html see nothing (`wasSuccessful()` is true, exit 0).
#          test-results-parser counts only what attributes of the outermost elements say: with these left out, as the format
#          allows, it says "SKIP" of a file with a failed test, and NaN tests. Which tool is right differs from file to file.
# With:    junitparser 5.0.3, xunitparser 1.3.4, junit2html 31.1.4 (PyPI), test-results-parser 0.4.6, junit-to-ctrf 0.0.14,
#          junit-merge 2.0.0 (npm), and the Node.js on this machine.
# Matters: "The check passed" must be the exit code of the test run, not what was read from its report. A report in which no
#          test was found is no pass, and a merge of reports should be checked to hold as many test cases as went in.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
node --version
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check junitparser==5.0.3 xunitparser==1.3.4 junit2html==31.1.4
npm install --silent --no-audit --no-fund --prefix "$work" test-results-parser@0.4.6 junit-to-ctrf@0.0.14 junit-merge@2.0.0 >/dev/null
cat > outside.test.mjs <<'J'
import assert from "node:assert"; import { test } from "node:test";
test("adds", () => {}); test("subtracts", () => assert.equal(2 - 1, 0));
J
cat > inner.test.mjs <<'J'
import assert from "node:assert"; import { describe, it } from "node:test";
describe("sums", () => { it("adds", () => {}); describe("less", () => { it("subtracts", () => assert.equal(2 - 1, 0)); }); });
J
cat > plain.test.mjs <<'J'
import assert from "node:assert"; import { describe, it } from "node:test";
describe("sums", () => { it("adds", () => {}); it("subtracts", () => assert.equal(2 - 1, 0)); });
J
for name in plain outside inner; do
  if node --test --test-reporter=junit $name.test.mjs > $name.xml; then echo "$name should have failed"; exit 1; fi
done
# The report of Node with the optional counts taken out.
sed -E 's/ (tests|failures|errors|skipped|disabled)="[0-9]+"//g' plain.xml > uncounted.xml
cat > read.py <<'P'
import sys, xunitparser
try: print("passed" if xunitparser.parse(open(sys.argv[1]))[1].wasSuccessful() else "failed")
except AssertionError: print("refused")
P
cat > read.cjs <<'J'
const result = require("test-results-parser").parse({ type: "junit", files: [process.argv[2]] });
console.log(`${result.status} of ${result.total}`);
J
verdicts() { # FILE
  local parser html
  if v/bin/junitparser verify "$1.xml" >/dev/null; then parser=passed; else parser=failed; fi
  if v/bin/junit2html --summary-matrix --max-failures 1 "$1.xml" >/dev/null; then html=passed; else html=failed; fi
  echo "junitparser $parser, xunitparser $(v/bin/python read.py "$1.xml"), junit2html $html, test-results-parser $(node read.cjs "$1.xml")"
}
expect() { local seen; seen=$(verdicts "$1"); printf '%-10s %s\n' "$1" "$seen"; [ "$seen" = "$2" ]; }
expect plain 'junitparser failed, xunitparser failed, junit2html failed, test-results-parser FAIL of 2'
expect outside 'junitparser passed, xunitparser refused, junit2html passed, test-results-parser SKIP of 0'
expect inner 'junitparser failed, xunitparser passed, junit2html passed, test-results-parser FAIL of 2'
expect uncounted 'junitparser failed, xunitparser failed, junit2html failed, test-results-parser SKIP of NaN'
node_modules/.bin/junit-to-ctrf outside.xml -o outside.json > said 2>&1; tail -1 said; [ ! -e outside.json ]
grep -q 'completed successfully' said
v/bin/junitparser merge plain.xml outside.xml merged-1.xml; node_modules/.bin/junit-merge -o merged-2.xml plain.xml outside.xml >/dev/null
for file in plain.xml outside.xml merged-1.xml merged-2.xml; do echo "$file: failures $(grep -o '<failure' $file | wc -l)"; done
for file in merged-1.xml merged-2.xml; do [ "$(grep -o '<failure' $file | wc -l)" = 1 ]; done
echo "seen: readers of JUnit's XML overlook failed tests outside of a suite or in an inner one"
