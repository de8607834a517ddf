#!/usr/bin/env bash
# Guessed: A container without a stop timeout gets Podman's default of 10 seconds when it is stopped, as with `podman
#          run` and with a Docker Engine.
# Seen:    A container created through Podman's Docker-compatible interface has 0: `POST /containers/…/stop` without a
#          time sends SIGKILL at once, and a SIGTERM handler never runs (exit code 137). Inspect shows `StopTimeout: 0`.
#          This also applies to `docker run` with Podman as its engine.
# With:    Podman 4.3.1 (4.3.1+ds1-8+deb12u1), runc 1.1.5 and busybox 1.35 of Debian 12 (an image is made of the latter).
# Matters: A service that is replaced loses the requests it was about to answer; set `StopTimeout` when creating and `t`
#          when stopping.
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
create() { api POST "/containers/create?name=$1" "{\"Image\":\"localhost/finding:1\",\"HostConfig\":{\"NetworkMode\":\"none\"},$2\"Cmd\":[\"/bin/sh\",\"-c\",\"trap 'exit 7' TERM; while true; do sleep 0.1; done\"]}" >/dev/null; api POST "/containers/$1/start"; }
shown() { api GET "/containers/$1/json" | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["Config"]["StopTimeout"], d["State"]["ExitCode"])'; }
create silent ""; create told '"StopTimeout":10,'
pm run --detach --name by-hand --network none localhost/finding:1 /bin/sh -c "trap 'exit 7' TERM; while true; do sleep 0.1; done" >/dev/null
sleep 1
for name in silent told by-hand; do api POST "/containers/$name/stop"; echo "$name: StopTimeout and exit code: $(shown $name)" | tee -a seen; done
[ "$(cat seen)" = "silent: StopTimeout and exit code: 0 137
told: StopTimeout and exit code: 10 7
by-hand: StopTimeout and exit code: 10 7" ]
echo "seen: what is created through the interface is killed at once when it is stopped"
