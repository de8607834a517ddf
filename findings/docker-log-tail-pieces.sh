#!/usr/bin/env bash
# Guessed: `docker logs --tail N` counts lines, and with --timestamps each line has one timestamp, at its start.
# Seen:    Both work on the 16 KiB pieces that the json-file driver stores: of a long line, --tail 2 returns only the
#          end (its last piece and the following line), and --timestamps through the API inserts a timestamp inside the
#          line, before every piece.
# With:    Docker Engine 20.10.24 and busybox 1.35 of Debian (an image is made of the latter).
# Matters: Showing the last lines of a failed phase shows half a JSON document without a sign that it was cut; stripping
#          timestamps at line starts leaves the others in the text.
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
docker run -d --name "$name" --label "$tag" --log-driver json-file "$tag" sh -c 'printf "BEGIN%039990dEND\n" 0; echo last' >/dev/null
docker wait "$name" >/dev/null
all=$(docker logs "$name"); tail2=$(docker logs --tail 2 "$name"); tail4=$(docker logs --tail 4 "$name")
python3 - "$tag" <<'P' > stamps
import http.client, re, socket, sys
class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.settimeout(20); self.sock.connect("/var/run/docker.sock")
c = Engine("localhost"); c.request("GET", f"/v1.41/containers/{sys.argv[1]}-c/logs?stdout=1&timestamps=1"); raw = c.getresponse().read()
text = b""
while raw:
    n = int.from_bytes(raw[4:8], "big"); text += raw[8:8 + n]; raw = raw[8 + n:]
print([len(re.findall(rb"\d{4}-\d\d-\d\dT[\d:.]+Z ", line)) for line in text.splitlines()])
P
echo "whole: $(wc -l <<<"$all") lines, the first of $(head -n1 <<<"$all" | tr -d '\n' | wc -c) bytes"
echo "--tail 2: $(wc -l <<<"$tail2") lines, the first of $(head -n1 <<<"$tail2" | tr -d '\n' | wc -c) bytes; time stamps per line: $(cat stamps)"
[[ $all == BEGIN* && $tail4 == "$all" && $tail2 != BEGIN* && $tail2 == *END$'\n'last ]]
[ "$(head -n1 <<<"$tail2" | tr -d '\n' | wc -c)" = $((39998 - 2 * 16384)) ]
[ "$(cat stamps)" = "[3, 1]" ]
echo "seen: the log's tail and time stamps count pieces of 16 KiB, not lines"
