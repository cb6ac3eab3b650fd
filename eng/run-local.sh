#!/usr/bin/env bash
# The whole app on this machine: Azurite, the Functions host, and the contest against its native gRPC port. Stops what it started.
# Needs func (Azure Functions Core Tools 4) and npx (Node.js) or azurite.
# Everything after -- goes to `funcscaler contest`.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  --help | -h) sed -n '2,4s/^# //p' "$0"; echo "usage: eng/run-local.sh [-- ARGUMENTS]"; exit 0 ;;
esac
[ "${1:-}" = -- ] && shift

grpc_port=${GRPC_PORT:-9001} platform_port=${PLATFORM_PORT:-50051} http_port=${HTTP_PORT:-7071}
wait_seconds=${WAIT_SECONDS:-120}
work=$(mktemp -d)
started=()

# Each job in a process group of its own, so that it can be stopped with all that it has started.
set -m
stop() {
  set +e
  for id in "${started[@]}"; do
    kill -TERM -- "-$id" 2>/dev/null
    for _ in $(seq 50); do kill -0 -- "-$id" 2>/dev/null || break; sleep 0.2; done
    kill -KILL -- "-$id" 2>/dev/null
    wait "$id" 2>/dev/null
  done
  if [ "${keep_logs:-no}" = yes ]; then echo "logs are in $work"; else rm -rf "$work"; fi
}
trap stop EXIT

fail() { echo "run-local: $*" >&2; keep_logs=yes; exit 1; }

missing=()
command -v dotnet >/dev/null || missing+=("dotnet: the .NET 10 SDK, https://dot.net")
command -v func >/dev/null || missing+=("func: Azure Functions Core Tools 4, for example npm install -g azure-functions-core-tools@4")
if ! command -v azurite >/dev/null && ! command -v npx >/dev/null; then
  missing+=("azurite: the storage emulator, npm install -g azurite (or npx, which comes with Node.js)")
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "run-local: missing on this machine:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
fi

echo "building …"
dotnet build -c Release src/ScalerHost -v q -nologo >"$work/build.log" 2>&1 || fail "src/ScalerHost does not build: $work/build.log"
dotnet build -c Release src/ScalerFunctions -v q -nologo >>"$work/build.log" 2>&1 || fail "src/ScalerFunctions does not build: $work/build.log"

# Waits until a URL answers, with status 200 if that is asked for; gives up when the process dies.
await() { # URL, process, name, log, [200]
  local status
  for _ in $(seq $((wait_seconds * 5))); do
    if status=$(curl -s -o /dev/null --max-time 2 -w '%{http_code}' "$1") && [ "${5:-$status}" = "$status" ]; then return 0; fi
    kill -0 "$2" 2>/dev/null || fail "$3 has ended: $4"
    sleep 0.2
  done
  fail "$3 is not ready: $1 has not answered${5:+ with $5} within $wait_seconds s: $4"
}

if curl -s -o /dev/null --max-time 2 http://127.0.0.1:10000/; then
  echo "azurite: one runs already"
else
  azurite=$(command -v azurite || echo "npx --yes azurite")
  $azurite --silent --disableTelemetry --skipApiVersionCheck --location "$work/azurite" >"$work/azurite.log" 2>&1 &
  started+=($!)
  await http://127.0.0.1:10000/ $! Azurite "$work/azurite.log"
  echo "azurite: started"
fi

app=artifacts/bin/ScalerFunctions/release
cp local.settings.sample.json "$app/local.settings.json"
export Scaler__HostUrl=http://127.0.0.1:$http_port

export Scaler__Grpc__Port=$grpc_port Scaler__Platform=127.0.0.1:$platform_port
(cd "$app" && exec func start --port "$http_port") >"$work/func.log" 2>&1 &
started+=($!)
await "http://127.0.0.1:$http_port/api/ready" $! func "$work/func.log" 200
echo "func: ready"

dotnet artifacts/bin/ScalerHost/release/funcscaler.dll contest \
  --scaler "127.0.0.1:$grpc_port" --port "$platform_port" "${@:---preset=dense}" || fail "the contest has failed; func's output: $work/func.log"
