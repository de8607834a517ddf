#!/usr/bin/env bash
# Guessed: Emulators of ECR give an image the digest of its manifest, as ECR does, and BatchGetImage finds it by that.
# Seen:    moto's digest is the SHA-256 of the digests of the layers, one after the other. Two images that differ only in
#          their configuration (a variable, a label, the command) have one digest, BatchGetImage by it returns both, and
#          neither is found by the digest of its manifest; a list gets a digest at random. PutImage of the second under the
#          first's tag leaves one image of the two. ministack's digests are right, but for a tag and a digest together it
#          returns the first image that has either, whatever the other says; moto returns the tag's for a digest it does not
#          know. Neither fails with ImageTagDoesNotMatchDigest, which ECR has for that.
# With:    ministack 1.5.33 and moto 5.2.5, boto3 1.43.106 (all PyPI).
# Matters: On moto, an image cannot be pinned by its real digest, and a rebuild that changes only the configuration goes
#          unnoticed. On both, one request with tag and digest ("does this tag still have the approved digest?") returns an
#          image after the tag has moved. Ask by one of the two, and compare the other with the answer.
set -euo pipefail
work=$(mktemp -d); pids=(); trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null; rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip install -q --no-compile --disable-pip-version-check ministack==1.5.33 moto==5.2.5 flask==3.1.3 flask-cors==6.0.2 boto3==1.43.106
read -r p1 p2 < <(python3 -c 'import socket;s=[socket.create_server(("127.0.0.1",0)) for _ in range(2)];print(*[x.getsockname()[1] for x in s])')
BIND_HOST=127.0.0.1 GATEWAY_PORT=$p1 v/bin/ministack >mini.log 2>&1 & pids+=($!)
v/bin/moto_server -H 127.0.0.1 -p "$p2" >moto.log 2>&1 & pids+=($!)
for p in $p1 $p2; do for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/"$p") 2>/dev/null && break; sleep 0.2; done; done
v/bin/python - "$p1" "$p2" <<'P'
import hashlib, json, sys, boto3
model = boto3.session.Session().client("ecr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x").meta.service_model
assert "ImageTagDoesNotMatchDigest" in model.shape_for("ImageFailureCode").enum
def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
docker = "application/vnd.docker.distribution.manifest."
layers = [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 5, "digest": digest(n)} for n in ("base", "app")]
def manifest(config):
    return json.dumps({"schemaVersion": 2, "mediaType": docker + "v2+json", "layers": layers,
                       "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest(config)}})
old, new = manifest('{"config":{"Env":["PORT=80"]}}'), manifest('{"config":{"Env":["PORT=81"]}}')
index = json.dumps({"schemaVersion": 2, "mediaType": docker + "list.v2+json", "manifests": [
    {"mediaType": docker + "v2+json", "size": len(m), "digest": digest(m), "platform": {"architecture": a, "os": "linux"}} for m, a in ((old, "amd64"), (new, "arm64"))]})
names = {old: "old", new: "new", index: "list"}
def run(name, port):
    ecr = boto3.client("ecr", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    ecr.create_repository(repositoryName="app")
    def put(text, tag):
        return ecr.put_image(repositoryName="app", imageManifest=text, imageTag=tag)["image"]["imageId"]["imageDigest"]
    def get(**image):
        answer = ecr.batch_get_image(repositoryName="app", imageIds=[image])
        return [names[i["imageManifest"]] for i in answer["images"]] or [f["failureCode"] for f in answer["failures"]]
    digests = {text: put(text, tag) for text, tag in ((old, "1"), (new, "2"), (index, "list"))}
    seen = {
        "digest is the manifest's": [digests[text] == digest(text) for text in names],
        "digest is that of the layers' digests": [digests[text] == digest("".join(l["digest"] for l in layers)) for text in names],
        "by the digest of old": get(imageDigest=digest(old)),
        "by the digest that PutImage gave for old": get(imageDigest=digests[old]),
        "tag of old, digest of new": get(imageTag="1", imageDigest=digest(new)),
        "tag of new, digest of old": get(imageTag="2", imageDigest=digest(old)),
    }
    ecr.create_repository(repositoryName="copy")
    copied = ecr.put_image(repositoryName="copy", imageManifest=index, imageTag="list")["image"]["imageId"]["imageDigest"]
    seen["the list has the same digest in another repository"] = copied == digests[index]
    put(new, "1")
    seen["tag moved to new, digest of old"] = get(imageTag="1", imageDigest=digest(old))
    seen["images and lists then"] = len(ecr.describe_images(repositoryName="app")["imageDetails"])
    for what, value in seen.items():
        print(f"{name:10}{what}: {value}")
    return list(seen.values())
assert run("ministack", sys.argv[1]) == [[True] * 3, [False] * 3, ["old"], ["old"], ["old"], ["old"], True, ["old"], 3]
assert run("moto", sys.argv[2]) == [[False] * 3, [True, True, False], ["ImageNotFound"], ["old", "new"], ["old"], ["new"], False, ["new"], 2]
P
echo "seen: moto's image digests are not those of the manifests, and neither emulator compares a tag with a digest"
