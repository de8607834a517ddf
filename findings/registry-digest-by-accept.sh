#!/usr/bin/env bash
# Guessed: A HEAD request for a tag with the `*/*` that curl sends finds the digest of what was pushed under the tag, be it an
#          index or a list. A client that accepts only manifests gets the amd64 manifest of a Docker list, and an OCI index
#          all the same. A digest that was pushed is found by every request for it.
# Seen:    Debian's registry gives three digests for one tag of a Docker manifest list. A client that accepts lists gets the list's.
#          One that accepts only manifests gets that of the amd64 manifest in it. One that sends `*/*`, nothing, or only the
#          types of OCI gets the digest of a manifest of the old schema 1, which the registry makes up for the answer: nobody
#          pushed it, and a request for it by that digest is 404. An OCI index is 404 (MANIFEST_UNKNOWN) for every
#          request that does not name its type, even for a request by its own digest with `*/*`.
# With:    docker-registry 2.8.2+ds1-1 (Debian 12).
# Matters: An image pinned by the digest from such a request cannot be pulled, or is for amd64 alone; and "is this digest
#          still there?" is answered with no although it is. Each request must name all four types (index and manifest,
#          of Docker and of OCI), and Content-Type tells what the digest belongs to. A digest that is not that of the
#          answer's bytes, or belongs to a type that was not asked for, must not be pinned.
set -euo pipefail
work=$(mktemp -d); trap 'kill "${registry:-}" 2>/dev/null || true; rm -rf "$work"' EXIT; cd "$work"; chmod 755 "$work"
apt-get download -q docker-registry=2.8.2+ds1-1 >/dev/null 2>&1 && dpkg -x docker-registry_*.deb registry
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {inmemory: {}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$port" >config.yml
registry/usr/bin/docker-registry serve config.yml >log 2>&1 & registry=$!
cat >ask.py <<'P'
import hashlib, http.client, json, sys, time
port = int(sys.argv[1])
def ask(method, path, body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.putrequest(method, path, skip_accept_encoding=True)
    if body is not None:
        c.putheader("Content-Length", str(len(body)))
    for name, value in headers.items():
        c.putheader(name.replace("_", "-"), value)
    c.endheaders(body)
    r = c.getresponse(); text = r.read(); c.close()
    return r.status, r.headers, text
for _ in range(100):
    try:
        ask("GET", "/v2/"); break
    except OSError:
        time.sleep(0.1)
digest = lambda body: "sha256:" + hashlib.sha256(body).hexdigest()
def blob(body):
    _, headers, _ = ask("POST", "/v2/app/blobs/uploads/", b"")
    path = headers["Location"].split(f":{port}", 1)[1] + "&digest=" + digest(body)
    assert ask("PUT", path, body, Content_Type="application/octet-stream")[0] == 201
    return digest(body)
def push(reference, document, names, name):
    body = json.dumps(document).encode()
    assert ask("PUT", f"/v2/app/manifests/{reference or digest(body)}", body, Content_Type=document["mediaType"])[0] == 201
    names[digest(body)] = name
    return {"mediaType": document["mediaType"], "digest": digest(body), "size": len(body)}
docker, oci = "application/vnd.docker.distribution.manifest.", "application/vnd.oci.image."
kinds = {"docker": (docker + "list.v2+json", docker + "v2+json", "application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
         "oci": (oci + "index.v1+json", oci + "manifest.v1+json", oci + "config.v1+json", oci + "layer.v1.tar+gzip")}
names, index = {}, {}
for kind, (many, one, config, layer) in kinds.items():
    manifests = []
    for platform in ("arm64", "amd64"):
        c = json.dumps({"architecture": platform, "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}, "history": [{"created_by": "test"}]}).encode()
        l = platform.encode()
        manifest = {"schemaVersion": 2, "mediaType": one, "config": {"mediaType": config, "digest": blob(c), "size": len(c)},
                    "layers": [{"mediaType": layer, "digest": blob(l), "size": len(l)}]}
        manifests.append({**push(None, manifest, names, platform), "platform": {"architecture": platform, "os": "linux"}})
    index[kind] = push(kind, {"schemaVersion": 2, "mediaType": many, "manifests": manifests}, names, "index")["digest"]
def head(reference, accept):
    status, headers, _ = ask("HEAD", f"/v2/app/manifests/{reference}", **({"Accept": accept} if accept else {}))
    if status != 200:
        return str(status)
    found = headers["Docker-Content-Digest"]
    if found not in names:
        assert headers["Content-Type"] == docker + "v1+prettyjws", headers["Content-Type"]
        assert ask("GET", f"/v2/app/manifests/{found}", Accept="*/*")[0] == 404
        assert ask("GET", f"/v2/app/manifests/{found}", Accept=headers["Content-Type"])[0] == 404
        return "made up"
    return names[found]
(d_many, d_one, *_), (o_many, o_one, *_) = kinds["docker"], kinds["oci"]
accepts = {"none": None, "*/*": "*/*", "Docker manifest": d_one, "Docker list and manifest": f"{d_many}, {d_one}", "OCI manifest": o_one,
           "OCI index and manifest": f"{o_many}, {o_one}", "all four": ", ".join((d_many, d_one, o_many, o_one))}
print(f"{'Accept':26}{'docker':10}{'by digest':10}{'oci':10}by digest")
table = {}
for name, accept in accepts.items():
    table[name] = [head("docker", accept), head(index["docker"], accept), head("oci", accept), head(index["oci"], accept)]
    print(f"{name:26}" + "".join(f"{seen:10}" for seen in table[name]))
assert table == {
    "none": ["made up", "index", "404", "404"],
    "*/*": ["made up", "index", "404", "404"],
    "Docker manifest": ["amd64", "index", "404", "404"],
    "Docker list and manifest": ["index", "index", "404", "404"],
    "OCI manifest": ["made up", "index", "404", "404"],
    "OCI index and manifest": ["made up", "index", "index", "index"],
    "all four": ["index"] * 4,
}
status, _, text = ask("GET", f"/v2/app/manifests/{index['oci']}", Accept="*/*")
print("the OCI index by its own digest, Accept */*:", status, json.loads(text)["errors"][0]["code"])
assert (status, json.loads(text)["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
P
python3 ask.py "$port"
echo "seen: the digest of a tag, and whether a digest exists, depend on the Accept header"
