#!/usr/bin/env bash
# Guessed: Taplo validates a TOML file against a JSON Schema that declares draft 2020-12 by the rules of that draft.
# Seen:    It ignores everything newer than draft 7: `dependentRequired`, `unevaluatedProperties`, `prefixItems` and
#          `minContains` have no effect, constraints beside a `$ref` are skipped, and `items` after `prefixItems`
#          applies from the first entry on, so that a correct file is rejected. There is no warning. The same rules in
#          draft 7 are checked.
# With:    @taplo/cli 0.7.0 (npm), which calls itself taplo 0.9.0.
# Matters: Even Better TOML and other editors use the same validator; a schema written for 2020-12 looks checked there
#          and is not.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" @taplo/cli@0.7.0 >/dev/null
check() { # expected: accepted | refused; the rule; the file
  printf '{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"name":{"type":"string"}},%s}' "$2" >schema.json
  printf '%s\n' "$3" >file.toml
  if node_modules/.bin/taplo check --schema "file://$work/schema.json" file.toml >/dev/null 2>&1; then found=accepted; else found=refused; fi
  printf '%-8s  %-24s by %s\n' "$found" "$3" "$2"
  [ "$found" = "$1" ] || { echo "expected: $1" >&2; exit 1; }
}
echo "newer than draft 7: each of these files breaks its rule, but the last one, which keeps it"
check accepted '"dependentRequired":{"a":["b"]}' 'a = 1'
check accepted '"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false' 'b = 1'
check accepted '"properties":{"a":{"prefixItems":[{"type":"string"}]}}' 'a = [1]'
check accepted '"properties":{"a":{"contains":{"const":1},"minContains":2}}' 'a = [1]'
check accepted '"properties":{"a":{"$ref":"#/$defs/name","minLength":3}}' 'a = "x"'
check refused '"properties":{"a":{"prefixItems":[{}],"items":false}}' 'a = [1]'
echo "as draft 7 has it: each of these files breaks its rule"
check refused '"dependencies":{"a":["b"]}' 'a = 1'
check refused '"allOf":[{"properties":{"a":{}}}],"additionalProperties":false' 'b = 1'
check refused '"properties":{"a":{"items":[{"type":"string"}]}}' 'a = [1]'
check refused '"properties":{"a":{"allOf":[{"$ref":"#/$defs/name"},{"minLength":3}]}}' 'a = "x"'
echo "seen: a schema of draft 2020-12 is checked by the rules of draft 7"
