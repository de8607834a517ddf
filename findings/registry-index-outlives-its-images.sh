#!/usr/bin/env bash
# Guessed: A tag keeps what it needs: `garbage-collect --delete-untagged` drops the manifests that neither a tag nor a tagged index
#          refers to, and a manifest that an index lists cannot be deleted on its own. So if HEAD finds the index by
#          its digest, the image can be pulled.
# Seen:    "Untagged" means just that: the manifests of all platforms of a tagged index are dropped, with their layers, while
#          the index stays. HEAD and GET for its tag and its digest are still 200, for what it lists 404. DELETE of one
#          platform's manifest is 202 and leaves the index likewise. Pushing the index again is refused
#          (MANIFEST_BLOB_UNKNOWN). An attestation with a `subject` is dropped though the subject has a tag; with the
#          tag `sha256-…` it stays. Without the option all is kept, also what a moved tag pointed at.
# With:    docker-registry 2.8.2+ds1-1 (Debian 12).
# Matters: "Is the pinned digest still there?" needs a look at the manifest of the platform in the index as well. A digest that
#          is deployed needs a tag of its own, and so does each platform, wherever that option is in use: a moved tag
#          takes the image of the running services, and the one to roll back to, with it.
set -euo pipefail
work=$(mktemp -d); trap 'kill "$(cat "$work/pid")" 2>/dev/null || true; rm -rf "$work"' EXIT; cd "$work"; chmod 755 "$work"
apt-get download -q docker-registry=2.8.2+ds1-1 >/dev/null 2>&1 && dpkg -x docker-registry_*.deb registry
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: "%s"}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work/store" "$port" >config.yml
cat >ask.py <<'P'
import hashlib, http.client, json, pathlib, subprocess, sys, time
port, command = int(sys.argv[1]), "registry/usr/bin/docker-registry"
def start():
    process = subprocess.Popen([command, "serve", "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pathlib.Path("pid").write_text(str(process.pid))
    for _ in range(100):
        try:
            ask("GET", "/v2/")
            return process
        except OSError:
            time.sleep(0.1)
def collect(*options):
    global process
    process.kill(); process.wait()
    subprocess.run([command, "garbage-collect", *options, "config.yml"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = start()
def ask(method, path, body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
    r = c.getresponse(); text = r.read(); c.close()
    return r.status, r.headers, text
digest = lambda body: "sha256:" + hashlib.sha256(body).hexdigest()
def blob(body):
    path = ask("POST", "/v2/app/blobs/uploads/", b"")[1]["Location"].split(f":{port}", 1)[1]
    assert ask("PUT", path + "&digest=" + digest(body), body)[0] == 201
    return {"digest": digest(body), "size": len(body)}
oci = "application/vnd.oci.image."
def push(document, *references):
    body = json.dumps(document).encode()
    answers = [ask("PUT", "/v2/app/manifests/" + r, body, Content_Type=document["mediaType"]) for r in references or [digest(body)]]
    assert all(a[0] == 201 for a in answers), answers
    return {"mediaType": document["mediaType"], "digest": digest(body), "size": len(body)}
def image(name, *tags, **more):
    config = json.dumps({"architecture": name, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    return push({"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": {"mediaType": oci + "config.v1+json", **blob(config)},
                 "layers": [{"mediaType": oci + "layer.v1.tar+gzip", **blob(name.encode())}], **more}, *tags)
def found(reference):
    answers = {ask(m, "/v2/app/manifests/" + reference, Accept=f"{oci}index.v1+json, {oci}manifest.v1+json")[0] for m in ("HEAD", "GET")}
    assert len(answers) == 1
    return answers.pop()
def index(*tags):
    return {"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": [{**image(p, *[f"{t}-{p}" for t in tags]), "platform": {"os": "linux", "architecture": p}} for p in ("amd64", "arm64")]}
process = start()
document = index(); top = push(document, "many"); amd64, arm64 = (m["digest"] for m in document["manifests"])
image("before", "moved"); subject = image("after", "moved"); before = image("before")
referrer = image("attestation", subject=subject)
tagged = image("other attestation", subject["digest"].replace(":", "-"), subject=subject)
parts = {"index": "many", "its digest": top["digest"], "amd64 in it": amd64, "arm64 in it": arm64, "tagged": subject["digest"],
         "before the tag moved": before["digest"], "attestation": referrer["digest"], "attestation with tag": tagged["digest"]}
def table(what, *expected):
    seen = [found(r) for r in parts.values()]
    print(f"{what:34}" + "".join(f"{s:<{len(n) + 2}}" for n, s in zip(parts, seen)))
    assert seen == list(expected), seen
print(" " * 34 + "  ".join(parts))
table("pushed", *[200] * 8)
collect(); table("garbage-collect", *[200] * 8)
collect("--delete-untagged"); table("garbage-collect --delete-untagged", 200, 200, 404, 404, 200, 404, 404, 200)
status, _, text = ask("PUT", "/v2/app/manifests/many", json.dumps(document).encode(), Content_Type=document["mediaType"])
codes = [e["code"] for e in json.loads(text)["errors"]]
print("the index pushed again:", status, *codes)
assert (status, codes) == (400, ["MANIFEST_BLOB_UNKNOWN"] * 2)
push(index("kept"), "many"); collect("--delete-untagged"); table("with tags for both, again", 200, 200, 200, 200, 200, 404, 404, 200)
assert ask("DELETE", "/v2/app/manifests/" + amd64)[0] == 202
table("DELETE of amd64", 200, 200, 404, 200, 200, 404, 404, 200)
P
python3 ask.py "$port"
echo "seen: the registry finds an index whose images are gone"
