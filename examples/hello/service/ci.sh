#!/bin/sh
# What every phase of the service runs: KATKIT_PHASE says which. Exit code 0 is success.
set -eu

case "$KATKIT_PHASE" in
  build)
    echo "building commit $GIT_SHA for $ENV"
    ./hello > hello.txt
    ;;
  verify)
    echo "replica $REPLICA_ID of $KATKIT_REPLICAS verifies in $ENV"
    ./hello | grep -q "$ENV"
    # What runs now says what was built.
    ./hello | cmp - "$KATKIT_INPUTS/build/0/hello.txt"
    ;;
esac
