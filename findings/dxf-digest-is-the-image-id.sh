#!/usr/bin/env bash
# Guessed: `get_digest` of python-dxf, a client for registries, gives the digest of the manifest under a tag, by which
#          images are pinned. For an index it is the digest of the index, or of a platform's manifest.
# Seen:    It is the digest of the configuration (what Docker calls the image's ID). A request for a manifest by it is not
#          even 404: the registry finds the blob, cannot read it as a manifest, and answers 500. Two manifests with the same
#          configuration, such as one image in the formats of Docker and of OCI, or with its layers packed in another way,
#          have one "digest". For an index it is a dictionary of the configurations by platform; the index's own digest
#          is not in it. Asked for a digest, it answers with another one. The command `dxf get-digest` does the same.
# With:    python-dxf 12.1.1 (PyPI) and docker-registry 2.8.2+ds1-1 (Debian 12).
# Matters: A digest that a build notes with this library cannot be pulled, and a comparison by it does not see that a tag has
#          moved to other bytes. The digest is in Docker-Content-Digest of head_manifest_and_response.
set -euo pipefail
work=$(mktemp -d); trap 'kill "${registry:-}" 2>/dev/null || true; rm -rf "$work"' EXIT; cd "$work"; chmod 755 "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check python-dxf==12.1.1
apt-get download -q docker-registry=2.8.2+ds1-1 >/dev/null 2>&1 && dpkg -x docker-registry_*.deb registry
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {inmemory: {}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$port" >config.yml
registry/usr/bin/docker-registry serve config.yml >log 2>&1 & registry=$!
for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && break; sleep 0.1; done
cat >look.py <<'P'
import gzip, hashlib, json, os, subprocess, sys
import requests
from dxf import DXF
host = "127.0.0.1:" + sys.argv[1]
digest = lambda body: "sha256:" + hashlib.sha256(body).hexdigest()
dxf = DXF(host, "team/app", insecure=True)
oci, docker = "application/vnd.oci.image.", "application/vnd.docker."
formats = {"oci": (oci + "manifest.v1+json", oci + "config.v1+json", oci + "layer.v1.tar+gzip"),
           "docker": (docker + "distribution.manifest.v2+json", docker + "container.image.v1+json", docker + "image.rootfs.diff.tar.gzip")}
names = {}
def push(tag, document):
    body = json.dumps(document).encode()
    names[digest(body)] = tag
    r = requests.put(f"http://{host}/v2/team/app/manifests/{tag}", body, headers={"Content-Type": document["mediaType"]})
    assert r.status_code == 201, r.text
    return {"mediaType": document["mediaType"], "digest": digest(body), "size": len(body)}
def image(tag, platform, form, level):
    kind, config_kind, layer_kind = formats[form]
    config = json.dumps({"architecture": platform, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(bytes(1000))]}}).encode()
    layer = gzip.compress(bytes(1000), level, mtime=0)
    for data in (config, layer):
        dxf.push_blob(data=iter([data]), digest=digest(data))
    names[digest(config)] = "configuration for " + platform
    return push(tag, {"schemaVersion": 2, "mediaType": kind, "config": {"mediaType": config_kind, "digest": digest(config), "size": len(config)},
                      "layers": [{"mediaType": layer_kind, "digest": digest(layer), "size": len(layer)}]})
amd64 = image("oci", "amd64", "oci", 9); image("docker", "amd64", "docker", 9); image("packed", "amd64", "oci", 1); arm64 = image("arm64", "arm64", "oci", 9)
index = push("index", {"schemaVersion": 2, "mediaType": oci + "index.v1+json",
                       "manifests": [{**m, "platform": {"os": "linux", "architecture": a}} for m, a in ((amd64, "amd64"), (arm64, "arm64"))]})
def show(found):
    return {k: names[v] for k, v in found.items()} if isinstance(found, dict) else names[found]
def check(what, found, expected):
    print(f"{what:38} {show(found)}")
    assert show(found) == expected, show(found)
ours = "configuration for amd64"
for tag in ("oci", "docker", "packed"):
    check("get_digest of the tag " + tag, dxf.get_digest(tag), ours)
    check("Docker-Content-Digest", dxf.head_manifest_and_response(tag)[1].headers["Docker-Content-Digest"], tag)
check("get_digest of the digest of oci", dxf.get_digest(amd64["digest"]), ours)
check("get_digest of index", dxf.get_digest("index"), {"linux/amd64": ours, "linux/arm64": "configuration for arm64"})
check("get_digest of index for linux/amd64", dxf.get_digest("index", platform="linux/amd64"), ours)
check("Docker-Content-Digest", dxf.head_manifest_and_response("index")[1].headers["Docker-Content-Digest"], "index")
command = subprocess.run(["v/bin/dxf", "get-digest", "team/app", "oci"], env={**os.environ, "DXF_HOST": host, "DXF_INSECURE": "1"}, capture_output=True, text=True, check=True)
check("dxf get-digest", command.stdout.strip(), ours)
status = requests.get(f"http://{host}/v2/team/app/manifests/{dxf.get_digest('oci')}", headers={"Accept": oci + "manifest.v1+json"}).status_code
print("the manifest of that digest:", status)
assert status == 500
P
v/bin/python look.py "$port"
echo "seen: python-dxf's digest of a tag is not the digest of its manifest"
