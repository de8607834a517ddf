#!/usr/bin/env bash
# Guessed: To a schema, a TOML date is not a string, and `nan` and `inf` are numbers.
# Seen:    Taplo converts the file to JSON first. A date or a time without quotes passes as `type: string`, even with a
#          `pattern` that it happens to match; `nan` and `inf` become null, and are rejected as "null is not of type
#          number".
# With:    @taplo/cli 0.7.0 (npm), which calls itself taplo 0.9.0; tomli 2.2.1 and jsonschema 4.25.1 (PyPI) for another view.
# Matters: An editor accepts `since = 2026-01-02` although a program that reads TOML gets a date and expects a string.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" @taplo/cli@0.7.0 >/dev/null
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check tomli==2.2.1 jsonschema==4.25.1
check() { # what Taplo says, what the two of Python say, the schema of `a`, the file
  printf '{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":%s}}' "$3" >schema.json
  printf '%s\n' "$4" >file.toml
  if node_modules/.bin/taplo check --schema "file://$work/schema.json" file.toml >/dev/null 2>&1; then taplo=accepted; else taplo=refused; fi
  python=$(v/bin/python -c '
import json, jsonschema, tomli
validator = jsonschema.Draft7Validator(json.load(open("schema.json")))
print("accepted" if validator.is_valid(tomli.load(open("file.toml", "rb"))) else "refused")')
  printf 'taplo: %-8s  tomli and jsonschema: %-8s  %-28s as %s\n' "$taplo" "$python" "$4" "$3"
  [ "$taplo $python" = "$1 $2" ] || { echo "expected: $1, $2" >&2; exit 1; }
}
check accepted refused '{"type":"string"}' 'a = 2026-01-02T03:04:05Z'
check accepted refused '{"type":"string"}' 'a = 2026-01-02'
check accepted refused '{"type":"string"}' 'a = 07:32:00'
check accepted refused '{"type":"string","pattern":"^[0-9-]+$"}' 'a = 2026-01-02'
check refused accepted '{"type":"number"}' 'a = nan'
check refused accepted '{"type":"number"}' 'a = inf'
echo "seen: dates pass for strings, and two numbers for null"
