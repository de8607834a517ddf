#!/usr/bin/env bash
# Guessed: The Engine's API rejects a health check whose Test does not begin with NONE, CMD or CMD-SHELL, as it rejects
#          a negative number of retries or too short an interval.
# Seen:    It accepts and keeps `"Test": ["/bin/true"]` with 201, and then runs no health check: State has no Health at
#          all, as if none had been requested, and the answer to the creation has no warning.
# With:    Docker Engine 20.10.24 and busybox 1.35 of Debian (an image is made of the latter).
# Matters: A health check copied from another format, where the command stands alone, is silently off; waiting for
#          "healthy" never ends, and treating "no health check" as healthy deploys unchecked.
set -euo pipefail
work=$(mktemp -d); tag=finding-$$-$RANDOM
clean() { docker ps -aq --filter "label=$tag" | xargs -r docker rm -fv >/dev/null; docker network ls -q --filter "label=$tag" | xargs -r docker network rm >/dev/null; docker image rm -f "$tag" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap clean EXIT; cd "$work"
docker version --format "Docker Engine {{.Server.Version}}"
busybox --help 2>&1 | sed -n 1p
mkdir -p root/bin root/tmp; cp "$(command -v busybox)" root/bin/busybox
for a in sh sleep touch true echo printf head tr; do ln -s busybox root/bin/$a; done
tar -C root -cf - . | docker import --change "ENV PATH=/bin" - "$tag" >/dev/null
python3 - "$tag" <<'P'
import http.client, json, socket, sys, time
tag = sys.argv[1]
class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.settimeout(20); self.sock.connect("/var/run/docker.sock")
def api(method, path, body=None):
    c = Engine("localhost"); c.request(method, "/v1.41" + path, json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse(); data = r.read(); c.close()
    return r.status, json.loads(data) if data else None
def create(name, check):
    return api("POST", f"/containers/create?name={tag}-{name}", {"Image": tag, "Cmd": ["sleep", "60"], "Labels": {tag: ""}, "Healthcheck": check})
def health(name):
    time.sleep(1)
    return (api("GET", f"/containers/{tag}-{name}/json")[1]["State"].get("Health") or {}).get("Status")
refused = [create("x", {"Test": ["CMD", "/bin/true"], **bad})[0] for bad in ({"Interval": 10}, {"Retries": -1})]
made, good = create("bare", {"Test": ["/bin/true"], "Interval": 200_000_000}), create("good", {"Test": ["CMD", "/bin/true"], "Interval": 200_000_000})
for n in ("bare", "good"): assert api("POST", f"/containers/{tag}-{n}/start")[0] == 204
kept = api("GET", f"/containers/{tag}-bare/json")[1]["Config"]["Healthcheck"]["Test"]
print("bad interval, bad retries:", refused, "| bare command:", made[0], made[1].get("Warnings"), "kept", kept, "health", health("bare"), "| with CMD: health", health("good"))
assert refused == [400, 400] and made[0] == good[0] == 201 and not made[1].get("Warnings") and kept == ["/bin/true"]
assert health("bare") is None and health("good") == "healthy"
P
echo "seen: a health check without CMD is accepted and never run"
