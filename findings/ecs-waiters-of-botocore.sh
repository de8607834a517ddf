#!/usr/bin/env bash
# Guessed: services_inactive waits until all given services are inactive, and accepts one that is gone for good;
#          tasks_stopped fails at once for a task that ECS no longer knows.
# Seen:    services_inactive returns as soon as ANY one of the services is inactive, and FAILS for a service that is
#          gone (MISSING); tasks_stopped has no failure state at all and polls to its limit (100 times 6 s by default)
#          for a task that ECS has forgotten, about an hour after the task stopped. And services_stable accepts an
#          answer without any service if the failure's reason is not MISSING.
# With:    boto3 and botocore 1.44.8 (PyPI), answers from botocore's own Stubber.
# Matters: "removed" is reported while services are draining, a second removal fails, and a wait for a finished task
#          takes ten minutes and ends in an error.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v && v/bin/pip install -q --disable-pip-version-check boto3==1.44.8 botocore==1.44.8
v/bin/python - <<'P'
import boto3
from botocore.exceptions import WaiterError
from botocore.stub import Stubber
def wait(waiter, operation, answers, **ask):
    ecs = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        for a in answers: stub.add_response(operation, a)
        try:
            ecs.get_waiter(waiter).wait(cluster="c", WaiterConfig={"Delay": 0, "MaxAttempts": len(answers)}, **ask)
            said = "done"
        except WaiterError as e:
            said = "gave up" if "Max attempts" in str(e) else "failed"
        return said, len(answers) - len(stub._queue)
gone = lambda arn, reason="MISSING": {"arn": arn, "reason": reason}
one = wait("services_inactive", "describe_services", [{"services": [{"serviceName": "a", "status": "INACTIVE"}, {"serviceName": "b", "status": "DRAINING"}, {"serviceName": "c", "status": "ACTIVE"}]}] * 3, services=["a", "b", "c"])
two = wait("services_inactive", "describe_services", [{"services": [], "failures": [gone("a")]}] * 3, services=["a"])
three = wait("tasks_stopped", "describe_tasks", [{"tasks": [], "failures": [gone("t")]}] * 5, tasks=["t"])
four = wait("services_stable", "describe_services", [{"services": [], "failures": [gone("a", "ACCESS")]}] * 3, services=["a"])
ecs = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
w = ecs.get_waiter("tasks_stopped").config
print("services_inactive, one of three is inactive:", one)
print("services_inactive, the service is gone:     ", two)
print("tasks_stopped, the task is gone:            ", three, f"(default {w.max_attempts} times {w.delay} s)")
print("services_stable, no service in the answer:  ", four)
assert one == ("done", 1) and two == ("failed", 1) and three == ("gave up", 5) and four == ("done", 1)
assert (w.max_attempts, w.delay) == (100, 6)
P
echo "seen: the ECS waiters stop early, fail, or poll on where one would not think so"
