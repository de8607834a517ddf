#!/usr/bin/env bash
# Guessed: Labels of a volume created for a mount (`Mounts[].VolumeOptions.Labels`) are set on the volume, as with a
#          Docker Engine.
# Seen:    Podman's Docker-compatible interface answers 201 without a warning, and the volume has no labels: a list of
#          volumes filtered by one does not show it. `POST /volumes/create` sets them.
# With:    Podman 4.3.1 (4.3.1+ds1-8+deb12u1), runc 1.1.5 and busybox 1.35 of Debian 12 (an image is made of the latter).
# Matters: Finding volumes by a label, to clean up or to show them, finds none; create them before the container.
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
mount() { echo "{\"Image\":\"localhost/finding:1\",\"Cmd\":[\"/bin/true\"],\"HostConfig\":{\"NetworkMode\":\"none\",\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"$1\",\"Target\":\"/x\",\"VolumeOptions\":{\"Labels\":{\"team\":\"shop\"}}}]}}"; }
api POST /containers/create "$(mount mounted)" >answer
api POST /volumes/create '{"Name":"made","Labels":{"team":"shop"}}' >/dev/null
warnings=$(python3 -c 'import json; print(json.load(open("answer"))["Warnings"])')
all=$(pm volume ls --quiet | sort | xargs); labelled=$(api GET '/volumes?filters=%7B%22label%22%3A%5B%22team%22%5D%7D' | python3 -c 'import json, sys; print(*[v["Name"] for v in json.load(sys.stdin)["Volumes"]])')
echo "warnings: $warnings; volumes: $all; with the label: $labelled"
[ "$warnings $all $labelled" = "[] made mounted made" ]
echo "seen: the labels of a mount's volume are not heeded"
