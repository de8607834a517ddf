#!/usr/bin/env bash
# Guessed: `skopeo copy` from one registry to another, or within one, copies the bytes, so the copy has the digest of the
#          original; with `--all` that holds for an index. The same copy made twice gives the same digest.
# Seen:    A layer that is not compressed (OCI allows it) is compressed on the way, so the copy has another digest, from any
#          machine. The very same command again, to the same tag, gives the digest of the original: by now skopeo has noted on
#          this machine that the registry has the layer as it was. With `--all` the index is written anew and loses its
#          `artifactType` and `subject`. And an image file pushed once with `--dest-compress-format zstd` goes to that
#          registry as zstd from then on, from that machine, without the option. With `--preserve-digests` each copy has
#          the digest of the original.
# With:    skopeo 1.9.3+ds1-1+b10 and docker-registry 2.8.2+ds1-1 (Debian 12).
# Matters: A tag that is copied again "moves" although nothing was built, and is refused; a digest noted from the original
#          does not exist at the copy. A digest must be that of the push itself (`--digestfile`) or be asked of the
#          registry that is deployed from, and promotion from one registry to another needs `--preserve-digests`.
set -euo pipefail
work=$(mktemp -d); trap 'for f in "$work"/*.pid; do kill "$(cat "$f")" 2>/dev/null || true; done; rm -rf "$work"' EXIT; cd "$work"; chmod 755 "$work"
apt-get download -q skopeo=1.9.3+ds1-1+b10 docker-registry=2.8.2+ds1-1 libgpgme11 libassuan0 libgpg-error0 libdevmapper1.02.1 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done
mkdir -m 777 shared machine1 machine2 machine3 machine4
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >policy.json; : >registries.conf
# As root, skopeo would keep its notes outside of this folder.
user=(); [ "$(id -u)" != 0 ] || user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
copy() { # machine, arguments
  local machine=$work/$1; shift
  "${user[@]}" env HOME="$machine" XDG_DATA_HOME="$machine" XDG_RUNTIME_DIR="$machine" root/usr/bin/skopeo --policy policy.json --registries-conf registries.conf \
    --tmpdir "$work/shared" copy -q --src-tls-verify=false --dest-tls-verify=false --digestfile shared/digest "$@"
  cat shared/digest
}
cat >registry.py <<'P'
import gzip, hashlib, http.client, io, json, pathlib, socket, subprocess, sys, tarfile, time
def ask(port, method, path, body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
    r = c.getresponse(); text = r.read(); c.close()
    return r.status, r.headers, text
def start(name):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    pathlib.Path(name + ".yml").write_text(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{inmemory: {{}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    process = subprocess.Popen(["root/usr/bin/docker-registry", "serve", name + ".yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pathlib.Path(name + ".pid").write_text(str(process.pid))
    for _ in range(100):
        try:
            ask(port, "GET", "/v2/"); return port
        except OSError:
            time.sleep(0.1)
digest = lambda body: "sha256:" + hashlib.sha256(body).hexdigest()
def blob(body):
    path = ask(port, "POST", "/v2/app/blobs/uploads/", b"")[1]["Location"].split(f":{port}", 1)[1]
    assert ask(port, "PUT", path + "&digest=" + digest(body), body)[0] == 201
    return {"digest": digest(body), "size": len(body)}
oci = "application/vnd.oci.image."
def push(tag, document):
    body = json.dumps(document).encode()
    assert ask(port, "PUT", f"/v2/app/manifests/{tag or digest(body)}", body, Content_Type=document["mediaType"])[0] == 201
    return {"mediaType": document["mediaType"], "digest": digest(body), "size": len(body)}
def image(tag, platform, pack, kind):
    file = io.BytesIO(); tar = tarfile.open(fileobj=file, mode="w"); entry = tarfile.TarInfo("file"); text = platform.encode() * 1000
    entry.size = len(text); tar.addfile(entry, io.BytesIO(text)); tar.close(); tar = file.getvalue()
    config = json.dumps({"architecture": platform, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}}).encode()
    return push(tag, {"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": {"mediaType": oci + "config.v1+json", **blob(config)}, "layers": [{"mediaType": oci + kind, **blob(pack(tar))}]})
if sys.argv[1] == "start":
    port, other = start("one"), start("two")
    plain = image("plain", "amd64", bytes, "layer.v1.tar"); small = image(None, "arm64", lambda b: gzip.compress(b, mtime=0), "layer.v1.tar+gzip")
    index = push("index", {"schemaVersion": 2, "mediaType": oci + "index.v1+json", "artifactType": "application/x", "subject": small,
                           "manifests": [{**m, "platform": {"os": "linux", "architecture": a}} for m, a in ((plain, "amd64"), (small, "arm64"))]})
    print(port, other, plain["digest"], index["digest"])
else:
    print(ask(int(sys.argv[2]), "GET", sys.argv[3], Accept=f"{oci}index.v1+json, {oci}manifest.v1+json")[2].decode())
P
read -r one two plain index < <(python3 registry.py start)
one=127.0.0.1:$one two=127.0.0.1:$two
declare -A names=([$plain]=original [$index]=original)
say() { printf '%-58s %s\n' "$1" "${names[$2]-${2:7:12}}"; }
first=$(copy machine1 "docker://$one/app:plain" "docker://$one/copy:1"); say "copied within the registry" "$first"
second=$(copy machine2 "docker://$one/app:plain" "docker://$one/copy:1"); say "the same from another machine" "$second"
third=$(copy machine1 "docker://$one/app:plain" "docker://$one/copy:1"); say "the same from the first machine" "$third"
away=$(copy machine2 "docker://$one/app:plain" "docker://$two/app:1"); say "to another registry" "$away"
[ "$first" != "$plain" ]; [ "$second $third $away" = "$first $plain $first" ]
many=$(copy machine2 --all "docker://$one/app:index" "docker://$two/many:1"); say "an index, with --all" "$many"
fields=$(python3 registry.py show "${two#*:}" "/v2/many/manifests/$many" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)))'); echo "  and has only: $fields"
[ "$many" != "$index" ]; [ "$fields" = "manifests mediaType schemaVersion" ]
exact=$(copy machine3 --preserve-digests "docker://$one/app:plain" "docker://$two/exact:1") exacts=$(copy machine3 --all --preserve-digests "docker://$one/app:index" "docker://$two/exact:2")
say "both with --preserve-digests" "$exact"; [ "$exact $exacts" = "$plain $index" ]
copy machine3 "docker://$one/app:plain" docker-archive:shared/image.tar:app:1 >/dev/null
gzip=$(copy machine3 docker-archive:shared/image.tar "docker://$two/gzip:1"); say "an image file, pushed" "$gzip"
zstd=$(copy machine4 --dest-compress-format zstd docker-archive:shared/image.tar "docker://$two/zstd:1"); say "the same with zstd, from another machine" "$zstd"
again=$(copy machine4 docker-archive:shared/image.tar "docker://$two/again:1"); say "from there without the option, to another repository" "$again"
[ "$gzip" != "$zstd" ]; [ "$again" = "$zstd" ]
echo "seen: the digest of a copy depends on what the machine has copied before"
