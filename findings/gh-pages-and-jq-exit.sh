#!/usr/bin/env bash
# Guessed: `gh api --paginate … --jq FILTER` gathers the pages and applies the filter to all of it, so `length` is the number of all
#          approvals. `gh api --paginate … | jq -e 'all(…)'` succeeds only if each check succeeded.
# Seen:    The filter is applied to each page by itself and answers once per page: of 150 reviews with two approvals, one per
#          page, `length` prints 1 and 1. Piped to jq, the pages are several documents, the filter answers for each, and the
#          exit code of `jq -e` is that of the last answer: a failed check on the first of two pages is a success, and so is
#          an empty list, of which `all` is true. Gathering them first (`jq -s`, or `-n` and `inputs`) gives the right answers.
# With:    gh 2.23.0+dfsg1-1 and jq 1.6 (Debian 12), against a server on this machine that gives out pages as the API does.
# Matters: A step of a workflow that hands in evidence or guards a deployment is right in tests and wrong from the 31st review
#          or the 101st check on. `per_page=100` only moves the border. Counts and verdicts belong after `jq -s`.
set -euo pipefail
work=$(mktemp -d); server=; trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT; cd "$work"
apt-get download -q gh=2.23.0+dfsg1-1 jq libjq1 libonig5 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu PATH=$work/root/usr/bin:$PATH HOME=$work
export GH_CONFIG_DIR=$work/config GH_TOKEN=example GH_NO_UPDATE_NOTIFIER=1
gh --version | head -1; jq --version
mkdir config; echo "http_unix_socket: $work/socket" > config/config.yml
cat > server.py <<'P'
import http.server, json, socketserver, urllib.parse
reviews = [{"user": {"login": f"user{i}"}, "state": "APPROVED" if i in (1, 140) else "COMMENTED"} for i in range(150)]
checks = [{"name": f"check{i}", "status": "completed", "conclusion": "failure" if i == 3 else "success"} for i in range(150)]
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return "-"
    def log_message(self, *_): pass
    def do_GET(self):
        url = urllib.parse.urlparse(self.path); query = dict(urllib.parse.parse_qsl(url.query))
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        items = {"reviews": reviews, "check-runs": checks, "statuses": []}[url.path.rsplit("/", 1)[1]]
        part = items[(page - 1) * size:page * size]
        body = json.dumps({"total_count": len(items), "check_runs": part} if items is checks else part).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json"); self.send_header("Content-Length", str(len(body)))
        if page * size < len(items):
            following = urllib.parse.urlencode({**query, "page": page + 1})
            self.send_header("Link", f'<https://api.github.com{url.path}?{following}>; rel="next"')
        self.end_headers(); self.wfile.write(body)
class Server(socketserver.UnixStreamServer):
    def get_request(self): return super().get_request()[0], ("-", 0)
Server("socket", Handler).serve_forever()
P
python3 server.py & server=$!
for _ in $(seq 50); do [ -S socket ] && break; sleep 0.1; done
ask() { gh api --paginate "repos/o/r/$1?per_page=100" "${@:2}"; }
say() { printf '%-66s %s\n' "$1" "$2"; [ "$2" = "$3" ]; }
code() { local code=0; "$@" >/dev/null || code=$?; echo $code; }
reviews=pulls/7/reviews checks=commits/main/check-runs approved='select(.state == "APPROVED")' good='.conclusion == "success"'
say "approvals, counted with gh's --jq" "$(ask $reviews --jq "[.[] | $approved] | length" | xargs)" "1 1"
say "approvals, counted by jq" "$(ask $reviews | jq "[.[] | $approved] | length" | xargs)" "1 1"
say "approvals, counted by jq -s" "$(ask $reviews | jq -s "[.[][] | $approved] | length" | xargs)" "2"
say "all checks good, with gh's --jq" "$(ask $checks --jq ".check_runs | all($good)" | xargs)" "false true"
say "exit code of jq -e" "$(ask $checks | code jq -e ".check_runs | all($good)")" 0
say "exit code of jq -e -s" "$(ask $checks | code jq -es "[.[].check_runs[]] | all($good)")" 1
say "exit code of jq -e -n with inputs" "$(ask $checks | code jq -en "[inputs.check_runs[]] | all($good)")" 1
say "exit code of jq -e for an empty list" "$(ask commits/main/statuses | code jq -e "all($good)")" 0
echo "seen: a filter for gh or jq answers page by page, and jq -e goes by the last page"
