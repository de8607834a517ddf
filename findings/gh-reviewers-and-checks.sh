#!/usr/bin/env bash
# Guessed: What `gh pr view` and `gh pr checks` show is the state that counts: whoever approved and only commented afterwards has
#          approved, whoever asked for changes and commented still asks for them, and a check that failed is shown.
# Seen:    `gh pr view` shows everybody's last review, which a comment is too, and so "(Commented)" for all of these, also for one
#          whose approval was dismissed. The pull request's `reviewDecision` and the host go by approvals and requests for
#          changes alone. `gh pr checks` shows of the checks with the same name in the same workflow only the one that started
#          last: one that failed for a push is gone behind one that succeeded for the pull request, and the exit code is 0,
#          while `--json statusCheckRollup` lists both. Neutral and skipped are "skipping" with exit code 0; "stale" and
#          "startup failure" are pending, and no check at all is exit code 1.
# With:    gh 2.23.0+dfsg1-1 (Debian 12), against a server on this machine that answers in the shapes of GitHub's API.
# Matters: The same pull request is approved for one reader and not for the other. Whoever folds reviews has to skip "COMMENTED" and
#          drop "DISMISSED" (or take `latestOpinionatedReviews`), and whoever folds checks must say what two runs of one
#          name mean.
set -euo pipefail
work=$(mktemp -d); server=; trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT; cd "$work"
apt-get download -q gh=2.23.0+dfsg1-1 >/dev/null 2>&1
dpkg -x gh_*.deb root
export HOME=$work GH_CONFIG_DIR=$work/config GH_TOKEN=example GH_NO_UPDATE_NOTIFIER=1
root/usr/bin/gh --version | head -1
mkdir config; echo "http_unix_socket: $work/socket" > config/config.yml
cat > server.py <<'P'
import http.server, json, pathlib, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return "-"
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"])); body = pathlib.Path("answer.json").read_bytes()
        self.send_response(200); self.send_header("Content-Type", "application/json"); self.send_header("Content-Length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
class Server(socketserver.UnixStreamServer):
    def get_request(self): return super().get_request()[0], ("-", 0)
Server("socket", Handler).serve_forever()
P
cat > answer.py <<'P'
import json, sys
reviews = [("ann", "APPROVED", ""), ("ann", "COMMENTED", "One more remark."), ("bob", "CHANGES_REQUESTED", "No."), ("bob", "COMMENTED", "See there."),
           ("cleo", "DISMISSED", "Fine."), ("dan", "APPROVED", "")]
def run(conclusion, event, hour):
    time = f"2026-01-01T0{hour}:00:00Z"
    return {"__typename": "CheckRun", "name": "test", "status": "COMPLETED", "conclusion": conclusion, "startedAt": time, "completedAt": time,
            "detailsUrl": "https://example.org", "checkSuite": {"workflowRun": {"event": event, "workflow": {"name": "ci"}}}}
checks = [run(*check.split(":")) for check in sys.argv[1:]]
none, page = {"nodes": [], "totalCount": 0}, {"hasNextPage": False}
pull = {
    "id": "P", "number": 7, "title": "t", "state": "OPEN", "url": "https://github.com/o/r/pull/7", "body": "", "author": {"login": "eve"},
    "baseRefName": "main", "headRefName": "f", "reviewDecision": "CHANGES_REQUESTED", "createdAt": "2026-01-01T00:00:00Z", "labels": none,
    "assignees": none, "projectCards": none, "comments": none, "reactionGroups": [], "reviewRequests": none, "commits": {"totalCount": 1},
    "reviews": {"pageInfo": page, "totalCount": len(reviews), "nodes": [
        {"id": str(i), "author": {"login": who}, "authorAssociation": "MEMBER", "state": state, "body": body, "reactionGroups": [],
         "submittedAt": f"2026-01-01T0{i}:00:00Z"} for i, (who, state, body) in enumerate(reviews)]},
    "statusCheckRollup": {"nodes": [{"commit": {"oid": "1" * 40, "statusCheckRollup": {"contexts": {"nodes": checks, "pageInfo": page}}}}]},
}
json.dump({"data": {"repository": {"pullRequest": pull}, "node": pull}}, open("answer.json", "w"))
P
python3 server.py & server=$!
for _ in $(seq 50); do [ -S socket ] && break; sleep 0.1; done
gh() { root/usr/bin/gh pr "$1" 7 -R o/r "${@:2}"; }
say() { printf '%-45s %s\n' "$1" "$2"; [ "$2" = "$3" ]; }
checks() { # what gh shows of these checks, and its exit code
  local code=0 shown; python3 answer.py "$@"; shown=$(gh checks 2>/dev/null) || code=$?
  echo "$(cut -f2 <<<"$shown" | xargs) with exit code $code"
}
python3 answer.py SUCCESS:push:1
say "reviewers that gh pr view shows" "$(gh view | sed -n 's/^reviewers:\t//p')" \
  'ann (Commented), bob (Commented), cleo (Commented), dan (Approved)'
say "approved, of the last review but comments" \
  "$(gh view --json reviews --jq '[.reviews[] | select(.state != "COMMENTED")] | group_by(.author.login) | map(last)
    | map(select(.state == "APPROVED").author.login) | join(" ")')" 'ann dan'
say "one check failed" "$(checks FAILURE:push:1)" 'fail with exit code 1'
say "it failed for push, and then succeeded" "$(checks FAILURE:push:1 SUCCESS:pull_request:2)" 'pass with exit code 0'
say "the same as JSON" "$(gh view --json statusCheckRollup --jq '[.statusCheckRollup[].conclusion] | join(" ")')" 'FAILURE SUCCESS'
for pair in NEUTRAL:skipping:0 SKIPPED:skipping:0 STALE:pending:1 STARTUP_FAILURE:pending:1 CANCELLED:fail:1; do
  IFS=: read -r conclusion shown code <<<"$pair"
  say "$conclusion" "$(checks "$conclusion:push:1")" "$shown with exit code $code"
done
say "no check" "$(checks)" ' with exit code 1'
echo "seen: gh shows a person another verdict than the reviews and checks give"
