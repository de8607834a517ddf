#!/usr/bin/env bash
# Guessed: While a container is paused, its health state does not change: nothing is probed.
# Seen:    `docker pause` makes it "unhealthy" at once, although no probe failed: the failing streak is 0 and the last
#          probes in the log all exited with 0. The same happens to a stopped container: it stays "unhealthy", and a
#          filter for that finds it.
# With:    Docker Engine 20.10.24 and busybox 1.35 of Debian (an image is made of the latter).
# Matters: Replacing or rolling back "unhealthy" containers hits one that a user or a snapshot paused; check
#          State.Status first, and the streak.
set -euo pipefail
work=$(mktemp -d); tag=finding-$$-$RANDOM
clean() { docker ps -aq --filter "label=$tag" | xargs -r docker rm -fv >/dev/null; docker network ls -q --filter "label=$tag" | xargs -r docker network rm >/dev/null; docker image rm -f "$tag" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap clean EXIT; cd "$work"
docker version --format "Docker Engine {{.Server.Version}}"
busybox --help 2>&1 | sed -n 1p
mkdir -p root/bin root/tmp; cp "$(command -v busybox)" root/bin/busybox
for a in sh sleep touch true echo printf head tr; do ln -s busybox root/bin/$a; done
tar -C root -cf - . | docker import --change "ENV PATH=/bin" - "$tag" >/dev/null
name=$tag-c
docker run -d --name "$name" --label "$tag" --health-cmd 'true' --health-interval 1s --health-retries 3 "$tag" sleep 60 >/dev/null
show() { docker inspect -f '{{.State.Status}} {{.State.Health.Status}}, streak {{.State.Health.FailingStreak}}, probes{{range .State.Health.Log}} {{.ExitCode}}{{end}}' "$name"; }
for _ in $(seq 60); do case $(show) in "running healthy"*) break;; esac; sleep 0.2; done
sleep 1.5; before=$(show); docker pause "$name" >/dev/null; paused=$(show); docker unpause "$name" >/dev/null
docker stop -t 0 "$name" >/dev/null; stopped=$(show)
found=$(docker ps -aq --filter "label=$tag" --filter health=unhealthy | wc -l)
printf '%s\n' "before:  $before" "paused:  $paused" "stopped: $stopped" "found by --filter health=unhealthy: $found"
[[ $before == "running healthy, streak 0, probes 0"* ]]
[[ $paused == "paused unhealthy, streak 0, probes 0"* && ! ${paused#*probes} =~ [1-9] ]]
[[ $stopped == "exited unhealthy, streak 0"* && $found == 1 ]]
echo "seen: a pause makes a healthy container unhealthy"
