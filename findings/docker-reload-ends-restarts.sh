#!/usr/bin/env bash
# Guessed: On a Docker Engine, sending SIGHUP to a container with a handler for it (to reload its configuration) does
#          not affect its restart policy: a container with --restart always is restarted after a later crash.
# Seen:    Any `docker kill --signal` marks the container as stopped by hand, unless it has a stop signal (image or
#          --stop-signal) and the sent signal differs from it. The process lives on, but its crash hours later is final.
# With:    Docker Engine 20.10.24 and busybox 1.35 of Debian (an image is made of the latter).
# Matters: A service that was once told to reload stays down after its next crash, although `docker inspect` shows
#          "always"; with an explicit StopSignal in the container, even the default SIGTERM, it comes back.
set -euo pipefail
work=$(mktemp -d); tag=finding-$$-$RANDOM
clean() { docker ps -aq --filter "label=$tag" | xargs -r docker rm -fv >/dev/null; docker network ls -q --filter "label=$tag" | xargs -r docker network rm >/dev/null; docker image rm -f "$tag" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap clean EXIT; cd "$work"
docker version --format "Docker Engine {{.Server.Version}}"
busybox --help 2>&1 | sed -n 1p
mkdir -p root/bin root/tmp; cp "$(command -v busybox)" root/bin/busybox
for a in sh sleep touch true echo printf head tr; do ln -s busybox root/bin/$a; done
tar -C root -cf - . | docker import --change "ENV PATH=/bin" - "$tag" >/dev/null
script='trap "touch /tmp/reloaded" HUP; while [ ! -e /tmp/crash ]; do sleep 0.1; done; exit 5'
try() { # name, HUP or none, more options
  local name=$tag-$1 signal=$2; shift 2
  docker run -d --name "$name" --label "$tag" --restart always "$@" "$tag" sh -c "$script" >/dev/null; sleep 0.5
  if [ "$signal" = HUP ]; then
    docker kill --signal HUP "$name" >/dev/null
    for _ in $(seq 50); do docker exec "$name" sh -c '[ -e /tmp/reloaded ]' && break; sleep 0.1; done
    docker exec "$name" sh -c '[ -e /tmp/reloaded ]'
  fi
  [ "$(docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}' "$name")" = "running 0 always" ]
  docker exec "$name" touch /tmp/crash; sleep 2.5
  docker inspect -f '{{if gt .RestartCount 0}}restarted{{else}}{{.State.Status}}{{end}}' "$name"
}
none=$(try none none); hup=$(try hup HUP); set=$(try set HUP --stop-signal SIGTERM)
echo "crash without a signal before it: $none; after a reload: $hup; after a reload, stop signal stated: $set"
[ "$none $hup $set" = "restarted exited restarted" ]
echo "seen: a reload by SIGHUP switches the restart policy off"
