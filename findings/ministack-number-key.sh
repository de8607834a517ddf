#!/usr/bin/env bash
# Guessed: DynamoDB numbers are values, not text: an item stored under the key 1 is found under 1.0 and 1E0 alike.
# Seen:    ministack normalizes a number when it is written (a conditional put of 1.0 sees the item 1), but looks a key
#          up by its text: GetItem with 1.0 finds nothing. moto finds it; but moto keeps a number's text as it was sent
#          and returns "1.50" where ministack and AWS return "1.5".
# With:    ministack 1.5.33 and moto 5.2.5, boto3 1.43.106 (all PyPI).
# Matters: A record with a numeric sort key written by one client and read by another (1 and 1.0) is lost on one
#          emulator only; and comparing numbers as text passes on one and fails on another.
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
    db.create_table(TableName="nums", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "N"}])
    for _ in range(50):
        if db.describe_table(TableName="nums")["Table"]["TableStatus"] == "ACTIVE": break
        time.sleep(0.2)
    db.put_item(TableName="nums", Item={"p": {"N": "1"}, "v": {"N": "1.50"}})
    try:
        db.put_item(TableName="nums", Item={"p": {"N": "1.0"}}, ConditionExpression="attribute_not_exists(p)")
        put = "new item"
    except db.exceptions.ConditionalCheckFailedException:
        put = "there already"
    got = ["found" if "Item" in db.get_item(TableName="nums", Key={"p": {"N": n}}) else "nothing" for n in ("1", "1.0", "1E0")]
    return put, got, db.get_item(TableName="nums", Key={"p": {"N": "1"}})["Item"]["v"]["N"]
seen = dict(zip(("ministack", "moto"), map(run, sys.argv[1:])))
for name, x in seen.items(): print(f"{name:9} put 1.0: {x[0]}; get 1, 1.0, 1E0: {x[1]}; the value 1.50 reads {x[2]}")
assert all(x[0] == "there already" for x in seen.values())
assert seen["ministack"][1] == ["found", "nothing", "nothing"]
assert seen["moto"][1] == ["found"] * 3
assert [seen[n][2] for n in ("ministack", "moto")] == ["1.5", "1.50"]
P
echo "seen: ministack does not find an item by another spelling of its number key"
