#!/usr/bin/env bash
# Guessed: An emulator that returns only the projected attributes of a KEYS_ONLY index also filters on those alone, and
#          rejects Select=ALL_ATTRIBUTES on such an index, as DynamoDB does.
# Seen:    ministack returns only the keys, but its FilterExpression sees the whole item, so a filter on an attribute
#          outside the index matches; ALL_ATTRIBUTES is accepted (and still returns only the keys). moto finds nothing,
#          and rejects it.
# With:    ministack 1.5.33 and moto 5.2.5, boto3 1.43.106 (all PyPI).
# Matters: A query that works on the emulator returns an empty list on AWS, without an error.
set -euo pipefail
work=$(mktemp -d); pids=(); trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null; rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip install -q --no-compile --disable-pip-version-check ministack==1.5.33 moto==5.2.5 flask==3.1.3 flask-cors==6.0.2 \
  py-partiql-parser==0.6.3 boto3==1.43.106
read -r p1 p2 < <(python3 -c 'import socket;s=[socket.create_server(("127.0.0.1",0)) for _ in range(2)];print(*[x.getsockname()[1] for x in s])')
BIND_HOST=127.0.0.1 GATEWAY_PORT=$p1 v/bin/ministack >mini.log 2>&1 & pids+=($!)
v/bin/moto_server -H 127.0.0.1 -p "$p2" >moto.log 2>&1 & pids+=($!)
for p in $p1 $p2; do for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/"$p") 2>/dev/null && break; sleep 0.2; done; done
v/bin/python - "$p1" "$p2" <<'P'
import sys, time, boto3
def run(port):
    db = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    db.create_table(TableName="runs", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("p", "g")],
                    GlobalSecondaryIndexes=[{"IndexName": "by-g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "KEYS_ONLY"}}])
    for _ in range(50):
        if db.describe_table(TableName="runs")["Table"]["TableStatus"] == "ACTIVE": break
        time.sleep(0.2)
    db.put_item(TableName="runs", Item={"p": {"S": "1"}, "g": {"S": "G"}, "phase": {"S": "test"}})
    def query(values={}, **more):
        try:
            return [sorted(i) for i in db.query(TableName="runs", IndexName="by-g", KeyConditionExpression="g = :g", ExpressionAttributeValues={":g": {"S": "G"}, **values}, **more)["Items"]]
        except db.exceptions.ClientError as e:
            return e.response["Error"]["Code"]
    return query(), query({":x": {"S": "test"}}, FilterExpression="phase = :x"), query(Select="ALL_ATTRIBUTES")
seen = dict(zip(("ministack", "moto"), map(run, sys.argv[1:])))
for name, x in seen.items(): print(f"{name:9} query {x[0]}, filter on an attribute outside {x[1]}, ALL_ATTRIBUTES {x[2]}")
keys = [["g", "p"]]
assert seen["ministack"] == (keys, keys, keys)
assert seen["moto"] == (keys, [], "ValidationException")
P
echo "seen: ministack filters an index on attributes that the index does not hold"
