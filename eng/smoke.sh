#!/usr/bin/env bash
# Assigns an instance through a scaler's endpoint and releases it, and fails if either does not work. For a deployed scaler and for a local
# `funcscaler serve` alike. A function key is given by --key or SCALER_KEY, a bearer token by SCALER_TOKEN. Needs curl.
set -euo pipefail

usage() {
  echo "usage: eng/smoke.sh URL [--key FUNCTION_KEY] [--function NAME] [--runtime NAME] [--memory MB] [--timeout SECONDS] [--http2]"
  echo "example: eng/smoke.sh http://127.0.0.1:8080"
  exit "$1"
}

case "${1:-}" in -h | --help) sed -n '2,3s/^# //p' "$0"; usage 0 ;; http://* | https://*) ;; *) usage 2 >&2 ;; esac
url=${1%/}
shift
function=hello runtime=nodejs:20 memory=512 timeout=300 key=${SCALER_KEY:-} http=--http1.1
while [ $# -gt 0 ]; do
  case $1 in
    --key) key=${2:?} ;; --function) function=${2:?} ;; --runtime) runtime=${2:?} ;; --memory) memory=${2:?} ;; --timeout) timeout=${2:?} ;;
    --http2) http=--http2; shift; continue ;;
    *) echo "smoke: $1 is not known" >&2; usage 2 >&2 ;;
  esac
  shift 2
done

# The key goes through a file: arguments can be read by every process of the machine.
headers=$(mktemp) answer=$(mktemp)
trap 'rm -f "$headers" "$answer"' EXIT
chmod 600 "$headers"
echo "Content-Type: application/json" >"$headers"
[ -z "${SCALER_TOKEN:-}" ] || echo "authorization: Bearer $SCALER_TOKEN" >>"$headers"
[ -z "$key" ] || echo "x-functions-key: $key" >>"$headers"

fail() { echo "smoke: FAILED: $*" >&2; exit 1; }

post() { # PATH BODY: prints the status; the answer's body goes to $answer
  curl -sS $http -o "$answer" -w '%{http_code}' --max-time "$timeout" -H "@$headers" -d "$2" "$url$1" || fail "no answer from $url$1"
}

field() { sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" "$answer" | head -1; }

request=smoke-$(date +%s)-$$
body="{\"requestId\":\"$request\",\"metaData\":{\"key\":\"$function\",\"runtime\":\"$runtime\",\"timeoutInSecs\":60,\"memoryInMb\":$memory}}"
started=$(date +%s)
status=$(post /api/assign "$body")
[ "$status" = 200 ] || fail "assign: HTTP $status: $(head -c 500 "$answer")"
instance=$(field instanceId)
[ -n "$instance" ] || fail "assign: no instance in $(head -c 500 "$answer")"
echo "smoke: assigned $instance ($(field start)) after $(($(date +%s) - started)) s$(where=$(field address); [ -z "$where" ] || echo ", at $where")"

release="{\"assigment\":{\"requestId\":\"$request\",\"metaKey\":\"$function\",\"instanceId\":\"$instance\"},\"result\":{\"statusCode\":200,\"durationInMs\":1}}"
status=$(post /api/release "$release")
[ "$status" = 200 ] || fail "release: HTTP $status: $(head -c 500 "$answer")"

# Whether the release was believed: a second one must be refused, at a Functions app as soon as it has reached the worker.
status=$(post /api/release "$release")
case $status in
  404) ;;
  200) echo "smoke: note: a second release was forwarded to another worker" ;;
  *) fail "a second release: HTTP $status: $(head -c 500 "$answer")" ;;
esac
echo "smoke: released; passed"
