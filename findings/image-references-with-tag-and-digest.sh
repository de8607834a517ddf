#!/usr/bin/env bash
# Guessed: Libraries that take apart the name of an image read `name:tag@sha256:…`, the form in which images are pinned, and
#          find a name, a tag and a digest. A first part without dot and port is a registry only if it is `localhost`.
# Seen:    Four of seven read it. docker (PyPI) leaves the tag in the name, `app:1`. docker-parse-image takes `1@sha256:…` for
#          the tag. docker-registry-client, like its fork by Renovate, refuses the form: "invalid repository name". And
#          oras, which finds the parts, takes `localhost/app:1` for an image of docker.io. With a registry's port and more than
#          two parts behind it, docker-parse-image takes the registry's name for the image's and `443/a/b/c:1` for the
#          tag; without the port it returns null. docker-registry-client refuses such names if a part has one letter.
# With:    docker 7.2.0, oras 0.2.43, docker-image-py 0.2.0 (PyPI); docker-parse-image 3.0.1, parse-docker-image-name 3.0.0,
#          docker-registry-client 3.4.0, @renovatebot/docker-registry-client 3.3.0, @swimlane/docker-reference 2.0.1 (npm).
# Matters: A tool beside katkit that lists what is deployed, or looks for updates, reads the tag and the digest of a pinned image
#          as one or stops at it. Where such tools read the names, repository, tag and digest must also be given apart.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check docker==7.2.0 oras==0.2.43 docker-image-py==0.2.0
npm install --silent --no-audit --no-fund --prefix "$work" docker-parse-image@3.0.1 parse-docker-image-name@3.0.0 docker-registry-client@3.4.0 \
  @renovatebot/docker-registry-client@3.3.0 @swimlane/docker-reference@2.0.1 >/dev/null 2>&1
cat >parts.js <<'J'
const image = require("docker-parse-image"), name = require("parse-docker-image-name").default || require("parse-docker-image-name");
const joyent = require("docker-registry-client"), renovate = require("@renovatebot/docker-registry-client"), swimlane = require("@swimlane/docker-reference");
const client = lib => text => { const r = lib.parseRepoAndRef(text); return [r.index.name, r.remoteName, r.tag, r.digest]; };
const libraries = {
  "docker-parse-image": text => { const r = image(text); return r && [r.registry, [r.namespace, r.repository].filter(Boolean).join("/"), r.tag, null]; },
  "parse-docker-image-name": text => { const r = name(text); return [r.domain, r.path, r.tag, r.digest]; },
  "@swimlane/docker-reference": text => { const r = swimlane.parseFamiliarName(text); return [r.domain, r.repository, r.tag, r.digest]; },
  "docker-registry-client": client(joyent), "its fork": client(renovate),
};
const read = (f, text) => { try { return f(text); } catch (e) { return e.message; } };
console.log(JSON.stringify(JSON.parse(process.argv[2]).map(text => Object.fromEntries(Object.entries(libraries).map(([n, f]) => [n, read(f, text)])))));
J
cat >check.py <<'P'
import json, subprocess
from docker.auth import resolve_repository_name
from docker.utils import parse_repository_tag
from docker_image.reference import Reference
from oras.container import Container
digest = "sha256:" + "ab" * 32
def docker(text):
    name, tag = parse_repository_tag(text)
    registry, name = resolve_repository_name(name)
    return [registry, name, *([None, tag] if tag and ":" in tag else [tag, None])]
def distribution(text):
    r = Reference.parse_normalized_named(text)
    return [*r.split_hostname(), r["tag"], r["digest"]]
def oras(text):
    c = Container(text)
    return [c.registry, "/".join(filter(None, (c.namespace, c.repository))), c.tag, c.digest]
def show(parts):
    return f"{parts}"[:70] if not isinstance(parts, list) else " | ".join(str(p or "-") for p in parts).replace(digest, "DIGEST")
texts = ["team/app:1@" + digest, "localhost/app:1", "reg.example.org/a/b/c:1", "reg.example.org:443/a/b/c:1", "reg.example.org/app/b:1"]
seen = json.loads(subprocess.run(["node", "parts.js", json.dumps(texts)], capture_output=True, text=True, check=True).stdout)
names = ["docker", "oras", "docker-image-py", *seen[0]]
for text, parts in zip(texts, seen):
    parts.update({"docker": docker(text), "oras": oras(text), "docker-image-py": distribution(text)})
    print(text.replace(digest, "DIGEST"), *[f"\n  {n:28}{show(parts[n])}" for n in names], sep="")
def expect(i, name, *parts):
    assert seen[i][name] == (list(parts) if len(parts) > 1 else parts[0]), (texts[i], name, seen[i][name])
fine = ["docker-image-py", "@swimlane/docker-reference"]
for i, right in enumerate([("docker.io", "team/app", "1", digest), ("localhost", "app", "1", None), *[("reg.example.org" + p, "a/b/c", "1", None) for p in ("", ":443")], ("reg.example.org", "app/b", "1", None)]):
    for name in fine + ["parse-docker-image-name"] + (["oras"] if i != 1 else []) + (["docker"] if i else []):
        read = [p or None for p in seen[i][name]]
        assert read[1:] == list(right[1:]) and (read[0] or "docker.io") == right[0], (texts[i], name, read)
expect(0, "docker", "docker.io", "team/app:1", None, digest)
expect(0, "docker-parse-image", None, "team/app", "1@" + digest, None)
expect(1, "oras", "docker.io", "localhost/app", "1", None)
expect(1, "docker-parse-image", None, "localhost/app", "1", None)
expect(2, "docker-parse-image", None)
expect(3, "docker-parse-image", None, "reg.example.org", "443/a/b/c:1", None)
for name in ("docker-registry-client", "its fork"):
    expect(0, name, "invalid repository name, may only contain [a-z0-9_/.-] characters: app:1")
    for i in (2, 3):
        expect(i, name, "invalid repository namespace, must be between 2 and 255 characters: a")
P
v/bin/python check.py
echo "seen: libraries disagree on which part of a pinned image's name is the tag"
