#!/usr/bin/env bash
# Guessed: A pull-through mirror (`proxy.remoteurl`) asks the other registry each time a tag is asked for, so it answers as that one
#          does: the new digest if the tag has moved, and 404 if it was deleted. If it answers at all while the registry
#          cannot be reached, it says so in a header.
# Seen:    It asks each time, but a failure means "use my own copy", and a 404 counts as one. A tag that was deleted is
#          answered with 200 and the last digest the mirror has seen, for HEAD and GET; so is every tag while the other registry
#          is down. Nothing in the answer tells: the headers are the same but for the date. Only the list of tags lacks the
#          deleted one, while the registry can be reached, and only a tag that the mirror never saw is 404.
# With:    docker-registry 2.8.2+ds1-1 (Debian 12), twice: a registry and a mirror of it.
# Matters: A digest asked of a mirror is that of the last successful look, of any age: an image that was withdrawn can still be
#          pinned and deployed, and a moved tag goes unnoticed while the registry is away. Ask the registry that the build
#          pushed to, not a mirror of it.
set -euo pipefail
work=$(mktemp -d); trap 'for f in "$work"/*.pid; do kill "$(cat "$f")" 2>/dev/null || true; done; rm -rf "$work"' EXIT; cd "$work"; chmod 755 "$work"
apt-get download -q docker-registry=2.8.2+ds1-1 >/dev/null 2>&1 && dpkg -x docker-registry_*.deb registry
cat >ask.py <<'P'
import hashlib, http.client, json, pathlib, socket, subprocess, time
def start(name, more=""):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    pathlib.Path(name + ".yml").write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{inmemory: {{}}, delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{more}")
    process = subprocess.Popen(["registry/usr/bin/docker-registry", "serve", name + ".yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pathlib.Path(name + ".pid").write_text(str(process.pid))
    for _ in range(100):
        try:
            ask(port, "GET", "/v2/"); break
        except OSError:
            time.sleep(0.1)
    return port, process
def ask(port, method, path, body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
    r = c.getresponse(); text = r.read(); c.close()
    return r.status, r.headers, text
digest = lambda body: "sha256:" + hashlib.sha256(body).hexdigest()
def blob(body):
    path = ask(origin, "POST", "/v2/app/blobs/uploads/", b"")[1]["Location"].split(f":{origin}", 1)[1]
    assert ask(origin, "PUT", path + "&digest=" + digest(body), body)[0] == 201
    return digest(body)
kind = "application/vnd.oci.image.manifest.v1+json"
def image(text):
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"of": text}}, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    layer = text.encode()
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(config), "size": len(config)},
                       "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": blob(layer), "size": len(layer)}]}).encode()
    names[digest(body)] = text
    return body
def push(tag, body):
    assert ask(origin, "PUT", f"/v2/app/manifests/{tag}", body, Content_Type=kind)[0] == 201
def see(what, *expected):
    seen, headers = [], []
    for port, method in ((origin, "HEAD"), (mirror, "HEAD"), (mirror, "GET")):
        try:
            status, h, _ = ask(port, method, "/v2/app/manifests/1", Accept=kind)
            seen.append(names[h["Docker-Content-Digest"]] if status == 200 else str(status))
            if port == mirror:
                headers.append({n: v for n, v in h.items() if n != "Date"})
        except OSError:
            seen.append("no answer")
    assert headers[0] == headers[1]
    print(f"{what:28} registry: {seen[0]:10} mirror: {seen[1]} (HEAD), {seen[2]} (GET)")
    assert seen == list(expected), seen
    return headers[0]
names = {}
origin, process = start("origin")
mirror, _ = start("mirror", f"proxy: {{remoteurl: 'http://127.0.0.1:{origin}'}}\n")
old, new = image("old"), image("new")
push("1", old); first = see("pushed", "old", "old", "old")
push("1", new); fresh = see("moved", "new", "new", "new")
assert ask(origin, "DELETE", "/v2/app/manifests/" + digest(new))[0] == 202
assert see("deleted", "404", "new", "new") == fresh
tags = [json.loads(ask(port, "GET", "/v2/app/tags/list")[2])["tags"] for port in (origin, mirror)]
never = ask(mirror, "HEAD", "/v2/app/manifests/other", Accept=kind)[0]
print("tags listed then:", *tags, "and a tag that the mirror never saw:", never)
assert (tags, never) == ([None, None], 404)
push("1", old); assert see("pushed again", "old", "old", "old") == first
process.kill(); process.wait()
assert see("registry stopped", "no answer", "old", "old") == first
P
python3 ask.py
echo "seen: a mirror answers for a deleted tag as if it were still there"
