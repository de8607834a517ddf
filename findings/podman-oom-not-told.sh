#!/usr/bin/env bash
# Guessed: A container whose only process was killed at the memory limit has `OOMKilled: true`, as on a Docker Engine on
#          the same machine.
# Seen:    It has `OOMKilled: false` and the exit code 137. `conmon`, which noticed, leaves an empty file `oom` in the
#          working directory of the process that started the container, not where Podman looks for it.
# With:    Podman 4.3.1 (4.3.1+ds1-8+deb12u1), conmon 2.1.6, runc 1.1.5 and busybox 1.35 of Debian 12, control groups of version 1.
# Matters: An out-of-memory kill looks like a kill by someone, and is retried with as little memory; read the control
#          group from within (`memory.oom_control`, `memory.events`).
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
echo "control groups: $(pm info --format '{{.Host.CgroupsVersion}}')"
mkdir elsewhere; cd elsewhere
code=0; pm run --name full --network none --memory 32m --memory-swap 32m localhost/finding:1 /bin/sh -c 'exec tail /dev/zero' >/dev/null 2>&1 || code=$?
shown=$(pm inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' full); left=$(ls)
echo "exit code $code; OOMKilled and ExitCode: $shown; files in the working directory: $left"
[ "$code $shown $left" = "137 false 137 oom" ]
echo "seen: a container that was killed at its memory limit is not shown as such"
