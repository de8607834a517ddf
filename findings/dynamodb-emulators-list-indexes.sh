#!/usr/bin/env bash
# Guessed: `REMOVE l[1], l[2]` removes the elements that were at 1 and 2 before the update, on every DynamoDB emulator,
#          as AWS shows in its guide; and `REMOVE l[0] SET l[1] = :x` sets the element that was at 1.
# Seen:    moto does the first correctly; ministack and dynalite remove one after the other, so the second index has
#          shifted and they remove another element. In the second update ministack removes first, and so writes x over
#          the third element.
# With:    ministack 1.5.33 and moto 5.2.5 (PyPI), dynalite 4.0.0 (npm), boto3 1.43.106.
# Matters: An update that edits a list by index cannot be tested on an emulator; write the whole list, or use a map.
set -euo pipefail
work=$(mktemp -d); pids=(); trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null; rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip install -q --no-compile --disable-pip-version-check ministack==1.5.33 moto==5.2.5 flask==3.1.3 flask-cors==6.0.2 \
  py-partiql-parser==0.6.3 boto3==1.43.106
npm install --silent --no-audit --no-fund --prefix "$work" dynalite@4.0.0 >/dev/null
read -r p1 p2 p3 < <(python3 -c 'import socket;s=[socket.create_server(("127.0.0.1",0)) for _ in range(3)];print(*[x.getsockname()[1] for x in s])')
BIND_HOST=127.0.0.1 GATEWAY_PORT=$p1 v/bin/ministack >mini.log 2>&1 & pids+=($!)
v/bin/moto_server -H 127.0.0.1 -p "$p2" >moto.log 2>&1 & pids+=($!)
node node_modules/dynalite/cli.js --host 127.0.0.1 --port "$p3" --createTableMs 0 >dyn.log 2>&1 & pids+=($!)
for p in $p1 $p2 $p3; do for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/"$p") 2>/dev/null && break; sleep 0.2; done; done
v/bin/python - "$p1" "$p2" "$p3" <<'P'
import sys, time, boto3
def lists(port):
    db = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    db.create_table(TableName="lists", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}])
    for _ in range(50):
        if db.describe_table(TableName="lists")["Table"]["TableStatus"] == "ACTIVE": break
        time.sleep(0.2)
    def after(expression, **values):
        db.put_item(TableName="lists", Item={"p": {"S": "k"}, "l": {"L": [{"S": c} for c in "abcde"]}})
        more = {"ExpressionAttributeValues": values} if values else {}
        r = db.update_item(TableName="lists", Key={"p": {"S": "k"}}, UpdateExpression=expression, ReturnValues="ALL_NEW", **more)
        return "".join(x["S"] for x in r["Attributes"]["l"]["L"])
    return after("REMOVE l[1], l[2]"), after("REMOVE l[0] SET l[1] = :x", **{":x": {"S": "X"}})
seen = dict(zip(("ministack", "moto", "dynalite"), map(lists, sys.argv[1:])))
for name, (removed, both) in seen.items():
    print(f"{name:9} abcde: REMOVE l[1], l[2] -> {removed}; REMOVE l[0] SET l[1] = X -> {both}")
assert seen["moto"][0] == "ade", "documented"
assert seen["ministack"][0] == seen["dynalite"][0] == "ace", seen
assert seen["moto"][1] == seen["dynalite"][1] == "bXde" and seen["ministack"][1] == "Xcde", seen
P
echo "seen: two of three emulators let the indexes of one REMOVE shift"
