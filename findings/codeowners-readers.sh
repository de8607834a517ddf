#!/usr/bin/env bash
# Guessed: Libraries that read CODEOWNERS name the owners that GitHub and GitLab document: `docs/*` matches the files of that folder,
#          not those of its folders; `#` after the owners begins a remark; in GitLab's sections, an entry without owners
#          has those of the section's heading, and a file belongs to one entry of each section.
# Seen:    npm's codeowners and codeowners-utils give `docs/*` all that is below the folder; the other two do not. npm's codeowners
#          takes each word of a remark for an owner, and @snyk/github-codeowners refuses the file. For all four, an entry
#          without owners below the heading `[Docs] @writers` belongs to nobody, and where an entry of a later section
#          matches, those of earlier sections are lost, also the owners of the entry for everything.
# With:    codeowners 5.1.1, codeowners-utils 1.0.2, @snyk/github-codeowners 1.1.0 (npm), codeowners 0.9.0 (PyPI).
# Matters: A rule "an owner of each changed file approved" asks nobody for what GitLab asks the default owners of a section, and
#          asks the wrong team for a nested folder. Such a rule has to know which of the two dialects it reads; better
#          evidence is what the host itself says about a pull request.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check codeowners==0.9.0
npm install --silent --no-audit --no-fund --prefix "$work" codeowners@5.1.1 codeowners-utils@1.0.2 @snyk/github-codeowners@1.1.0 >/dev/null
mkdir star remark sections
printf '%s\n' '* @all' 'docs/* @writers' > star/CODEOWNERS
printf '%s\n' '* @all' '*.rs @core # the compiler people' > remark/CODEOWNERS
printf '%s\n' '* @all' '' '[Docs] @writers' 'docs/' 'README.md @lead' '' '[Database][2] @dba' 'model/' 'docs/schema.md' > sections/CODEOWNERS
cat > read.py <<'P'
import sys, codeowners
print(*sorted(name for _, name in codeowners.CodeOwners(open("CODEOWNERS").read()).of(sys.argv[1])) or ["nobody"])
P
cat > read.cjs <<'J'
const [library, path] = process.argv.slice(2), { readFileSync } = require("node:fs");
const readers = {
  codeowners: () => new (require("codeowners"))(process.cwd()).getOwner(path),
  utils: () => { const utils = require("codeowners-utils"); return utils.matchFile(path, utils.parse(readFileSync("CODEOWNERS", "utf8"))).owners; },
  snyk: () => require("@snyk/github-codeowners/dist/lib/ownership").OwnershipEngine.FromCodeownersFile("CODEOWNERS").calcFileOwnership(path),
};
let owners; try { owners = readers[library](); } catch { owners = ["refused"]; }
console.log(owners.length ? owners.join(" ") : "nobody");
J
expect() { # FOLDER, PATH, and what the four say
  local seen; cd "$1"
  seen="$(node ../read.cjs codeowners "$2") | $(node ../read.cjs utils "$2") | $(node ../read.cjs snyk "$2" 2>/dev/null | tail -1)"
  seen+=" | $(../v/bin/python ../read.py "$2")"; cd ..
  printf '%-9s %-16s %s\n' "$1" "$2" "$seen"; [ "$seen" = "$3" ]
}
echo "codeowners | codeowners-utils | @snyk/github-codeowners | codeowners of PyPI"
for folder in star remark sections; do git init -q $folder; done
expect star docs/a.md '@writers | @writers | @writers | @writers'
expect star docs/en/a.md '@writers | @writers | @all | @all'
expect remark main.rs '@core # the compiler people | @core | refused | @core'
expect sections docs/a.md 'nobody | nobody | nobody | nobody'
expect sections README.md '@lead | @lead | @lead | @lead'
expect sections docs/schema.md 'nobody | nobody | nobody | nobody'
expect sections model/a.sql 'nobody | nobody | nobody | nobody'
echo "seen: CODEOWNERS has other owners for each reader, and sections of GitLab have none"
