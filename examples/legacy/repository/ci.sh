#!/bin/bash -e

if [ "$PHASE" == "PRE_DEPLOY_BUILD" ]; then
	docker build --build-arg BASE="${BASE:-busybox:1.37}" -t "$REPO:web_$GIT_SHA" .
elif [ "$PHASE" == "POST_DEPLOY_VERIFICATION" ]; then
	# Every replica runs its part of the tests.
	echo "part $REPLICA_ID of the tests of $GIT_SHA in $ENV"
else
	echo "unknown phase $PHASE"
	exit 1
fi
