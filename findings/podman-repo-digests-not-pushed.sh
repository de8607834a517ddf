#!/usr/bin/env bash
# Guessed: `RepoDigests` of an image lists the digests under which registries have it, as with a Docker Engine: nothing before
#          the image is pushed, and then the digest of the push.
# Seen:    A built image has one from the start, that of a manifest which exists only on this machine. After `podman push` it is
#          still that one, now under the name of the registry as well: it looks like the pin to use, and the registry answers
#          404. The digest of the push is in `--digestfile` alone. Once the pushed digest is pulled, the list is every
#          digest with every name, also the registry's name with the local digest, and the local name with the registry's.
#          `Digest` stays the local one, and is the registry's only if the image was removed before it was pulled.
# With:    Podman 4.3.1 (4.3.1+ds1-8+deb12u1+b3) and docker-registry 2.8.2+ds1-1 of Debian 12. Needs root.
# Matters: A build that writes its digest with `podman image inspect` hands on one that cannot be deployed. It must come from
#          `push --digestfile`, and the registry must be asked for it before anything is pinned.
set -euo pipefail
work=$(mktemp -d)
clean() { kill "${registry:-}" 2>/dev/null || true; { grep -o "$work/[^ ]*" /proc/mounts | sort -r | xargs -r umount -l; } || true; rm -rf "$work"; }
trap clean EXIT; cd "$work"; chmod 755 "$work"
apt-get download -q podman=4.3.1+ds1-8+deb12u1+b3 conmon docker-registry=2.8.2+ds1-1 libgpgme11 libassuan0 libgpg-error0 libdevmapper1.02.1 libsubid4 libseccomp2 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {inmemory: {}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$port" >registry.yml
root/usr/bin/docker-registry serve registry.yml >/dev/null 2>&1 & registry=$!
for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && break; sleep 0.1; done
mkdir -p .config/containers lib run; echo '{"default": [{"type": "insecureAcceptAnything"}]}' >.config/containers/policy.json; : >registries.conf
printf '[engine]\nconmon_path = ["%s/root/usr/bin/conmon"]\nruntime = "true"\n[engine.runtimes]\ntrue = ["/bin/true"]\n' "$work" >conf
# No container is run. Whatever Podman keeps outside of this folder goes into it, too.
pm() {
  HOME=$work CONTAINERS_CONF=$work/conf CONTAINERS_REGISTRIES_CONF=$work/registries.conf LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu \
    unshare --mount sh -c 'mount --bind "$HOME/lib" /var/lib && mount --bind "$HOME/run" /run && exec "$HOME/root/usr/bin/podman" --root "$HOME/images" --runroot /run/images --storage-driver vfs "$@"' pm "$@"
}
pm --version
head -c 10000 /dev/zero >file; tar -cf image.tar file
pm import -q image.tar localhost/app:1 >/dev/null 2>&1
name=127.0.0.1:$port/team/app
cat >look.py <<'P'
import json, sys, urllib.error, urllib.request
port, names, image = sys.argv[1], dict(a.split("=") for a in sys.argv[2:]), json.load(sys.stdin)[0]
def pinned(reference):
    repository, digest = reference.split("@")
    shown = f"{repository.replace(f'127.0.0.1:{port}', 'registry')}@{names[digest]}"
    if repository.startswith("localhost/"):
        return shown
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/team/app/manifests/{digest}", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
    try:
        return f"{shown} ({urllib.request.urlopen(request).status})"
    except urllib.error.HTTPError as e:
        return f"{shown} ({e.code})"
print(f"Digest {names[image['Digest']]}, RepoDigests", *sorted(pinned(r) for r in image["RepoDigests"]))
P
see() { # what, image, expected
  local seen; seen=$(pm image inspect "$2" | python3 look.py "$port" "$local=local" "${pushed:-none}=pushed")
  printf '%-22s %s\n' "$1" "$seen"; [ "$seen" = "$3" ]
}
local=$(pm image inspect --format '{{.Digest}}' localhost/app:1)
see built localhost/app:1 "Digest local, RepoDigests localhost/app@local"
pm tag localhost/app:1 "$name:1"
pm push -q --tls-verify=false --digestfile digest "$name:1" >/dev/null 2>&1; pushed=$(cat digest)
[ "$pushed" != "$local" ]
see pushed "$name:1" "Digest local, RepoDigests localhost/app@local registry/team/app@local (404)"
pm pull -q --tls-verify=false "$name@$pushed" >/dev/null
see "pulled by its digest" localhost/app:1 "Digest local, RepoDigests localhost/app@local localhost/app@pushed registry/team/app@local (404) registry/team/app@pushed (200)"
pm rmi -af >/dev/null; pm pull -q --tls-verify=false "$name:1" >/dev/null
see "removed, and pulled" "$name:1" "Digest pushed, RepoDigests registry/team/app@pushed (200)"
echo "seen: the digest that Podman shows for a pushed image is not in the registry"
