#!/usr/bin/env bash
# Guessed: The last three lines of a container's log are its last three lines; at worst, the first of them is cut.
# Seen:    If lines were written in pieces (`printf a; printf b; echo 3`), the end of each line comes first, followed by
#          the pieces of the *next* line in reverse order: of "ab3", "ab4", "ab5" the last three are "3ba", "4ba", "5",
#          with `podman logs --tail` and through the Docker-compatible interface. A request for all lines gets them
#          right in both.
# With:    Podman 4.3.1 (4.3.1+ds1-8+deb12u1), log driver k8s-file, runc 1.1.5 and busybox 1.35 of Debian 12.
# Matters: Showing the end of a failed container's log shows text that it never printed; read the whole log, and cut
#          that.
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
podman --version; busybox --help 2>&1 | sed -n 1p
mkdir -p image/bin image/tmp; cp "$(command -v busybox)" image/bin/busybox
for a in sh sleep echo printf; do ln -s busybox image/bin/$a; done
tar -C image -cf - . | pm import --quiet - localhost/finding:1 >/dev/null 2>&1
"${own[@]}" system service --time=0 "unix://$work/sock" >service.log 2>&1 & service=$!
for _ in $(seq 100); do [ -S sock ] && break; sleep 0.1; done
pieces='for word in 1 2 3 4 5; do printf a; sleep 0.2; printf b; sleep 0.2; echo $word; done'
pm run --name talks --log-driver k8s-file --network none localhost/finding:1 /bin/sh -c "$pieces" >/dev/null
# The body, without the eight bytes before each piece.
api() {
  curl -s --unix-socket sock "http://podman/v1.41/containers/talks/logs?stdout=1&tail=$1" >answer
  python3 -c 'raw = open("answer", "rb").read(); text = b""
while raw:
    n = int.from_bytes(raw[4:8], "big"); text += raw[8:8 + n]; raw = raw[8 + n:]
print(" ".join(text.decode().split()))'
}
{
  echo "all: $(pm logs talks | xargs)"; echo "--tail 3: $(pm logs --tail 3 talks | xargs)"
  echo "all, interface: $(api all)"; echo "tail=3, interface: $(api 3)"
} | tee seen
[ "$(cat seen)" = "all: ab1 ab2 ab3 ab4 ab5
--tail 3: 3ba 4ba 5
all, interface: ab1 ab2 ab3 ab4 ab5
tail=3, interface: 3ba 4ba 5" ]
echo "seen: the last lines of a log have pieces of the next line, in reverse order"
