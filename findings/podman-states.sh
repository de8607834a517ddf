#!/usr/bin/env bash
# Guessed: The state of a container in Podman's Docker-compatible list is one of those in Docker's interface: created,
#          running, paused, restarting, removing, exited, dead.
# Seen:    While a container is asked to stop it is `stopping`, and `Running` is false although it still runs; after it
#          has ended and before it is cleaned up, it is `stopped` for tenths of a second. Both appear in lists and in
#          inspect.
# With:    Podman 4.3.1 (4.3.1+ds1-8+deb12u1), runc 1.1.5 and busybox 1.35 of Debian 12 (an image is made of the latter).
# Matters: A client with a closed list of states (bollard 0.21 does not know `stopped`) fails to read the whole list
#          because of one stopping container; a client that relies on `Running` considers a service ended that is
#          answering its last requests.
set -euo pipefail
work=$(mktemp -d)
export CONTAINERS_CONF=$work/conf
own=(podman --root "$work/root" --runroot "$work/run" --tmpdir "$work/tmp" --network-config-dir "$work/net")
pm() { "${own[@]}" "$@"; }
clean() { pm rm --all --force --time 0 >/dev/null 2>&1 || true; [ -z "${service:-}" ] || { kill "$service"; wait "$service"; } 2>/dev/null || true; { grep -o "$work/[^ ]*" /proc/mounts | sort -r | xargs -r umount -l; } || true; rm -rf "$work"; }
trap clean EXIT; cd "$work"; mkdir net
# This root's own limits: without CAP_SYS_RESOURCE, Podman's default is refused.
files=$(ulimit -Hn); tasks=$(ulimit -Hu); most=$(cat /proc/sys/kernel/pid_max); [ "$files" != unlimited ] || files=1048576
[ "$tasks" != unlimited ] && [ "$tasks" -lt "$most" ] || tasks=$most
printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' "$files" "$files" "$tasks" "$tasks" >conf
podman --version; conmon --version | sed -n 1p; busybox --help 2>&1 | sed -n 1p
mkdir -p image/bin image/tmp; cp "$(command -v busybox)" image/bin/busybox
for a in sh sleep echo true tail; do ln -s busybox image/bin/$a; done
tar -C image -cf - . | pm import --quiet - localhost/finding:1 >/dev/null 2>&1
"${own[@]}" system service --time=0 "unix://$work/sock" >service.log 2>&1 & service=$!
for _ in $(seq 100); do [ -S sock ] && break; sleep 0.1; done
api() { curl -s --unix-socket sock -X "$1" -H 'Content-Type: application/json' ${3:+-d "$3"} "http://podman/v1.41$2"; }
cat >watch.py <<'P'
import http.client, json, socket, sys, threading
class Podman(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect("sock")
def call(method, path, body=None):
    c = Podman("podman"); c.request(method, "/v1.41" + path, body and json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse(); text = r.read(); c.close()
    return r.status, text and json.loads(text)
script = "trap 'sleep 1; exit 0' TERM; while true; do sleep 0.1; done"
listed, inspected, over = set(), set(), threading.Event()
def watch():
    while not over.is_set():
        status, answer = call("GET", "/containers/json?all=1")
        if status == 200: listed.update(c["State"] for c in answer)
        status, answer = call("GET", "/containers/it/json")
        if status == 200: inspected.add((answer["State"]["Status"], answer["State"]["Running"]))
for _ in range(4):
    call("POST", "/containers/create?name=it", {"Image": "localhost/finding:1", "Cmd": ["/bin/sh", "-c", script], "HostConfig": {"NetworkMode": "none"}})
    call("POST", "/containers/it/start")
    over.clear(); watcher = threading.Thread(target=watch); watcher.start(); over.wait(0.5)
    call("POST", "/containers/it/stop?t=5"); over.wait(0.5); over.set(); watcher.join()
    call("DELETE", "/containers/it?force=1")
print("listed:   ", *sorted(listed)); print("inspected:", *sorted(f"{s}/{r}" for s, r in inspected))
sys.exit(not ({"stopping", "stopped"} <= listed and {("stopping", False), ("stopped", False)} <= inspected))
P
python3 watch.py
echo "seen: states that Docker's interface does not name"
