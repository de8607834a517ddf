#!/bin/sh
# What the phases do: the manifest tells them apart by PHASE. The image is known by its commit, as the service
# description says.
set -eu
image=hello/web:$GIT_SHA

case $PHASE in
  BUILD)
    docker build --tag "$image" --build-arg "BASE=${BASE:-busybox:1.37}" .
    ;;
  VERIFY)
    # Of this commit, in this tenant: what was deployed, and not what somebody left running.
    container=$(docker ps --quiet --filter label=katkit.tenant="$KATKIT_TENANT" --filter label=katkit.image="$image")
    docker exec "$container" cat /www/index.html | grep -q 'Hello'
    echo "$ENV serves $GIT_SHA"
    ;;
esac
