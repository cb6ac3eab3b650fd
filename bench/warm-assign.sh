#!/usr/bin/env bash
# Warm Assign and Idle side by side, in turn: another build of the scaler, this one, this one with a state on disk, and a service with nothing behind
# it on the same stack.
# usage: bench/warm-assign.sh [OTHER/funcscaler.dll]     ROUNDS=3 PAIRS=50000 CALLERS="1 32 128"
set -euo pipefail
cd "$(dirname "$0")/.."
other=${1:-}
dotnet build -c Release -v q -nologo bench/WarmAssign
dotnet build -c Release -v q -nologo src/ScalerHost
this=artifacts/bin/ScalerHost/release/funcscaler.dll client=artifacts/bin/WarmAssign/release/warm-assign.dll
log=$(mktemp) pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$log" "${state:-}"' EXIT

dotnet "$this" platform --preset dense --port 50991 --control-port 50992 --scaler 127.0.0.1:50993 >>"$log" 2>&1 & pids+=($!)
declare -A address=() server=()
serve() {
  local name=$1 port=$2; shift 2
  "$@" >>"$log" 2>&1 & pids+=($!)
  address[$name]=127.0.0.1:$port server[$name]=$!
  for _ in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return; sleep 0.2; done
  cat "$log" >&2; exit 1
}
[ -z "$other" ] || serve other 50993 dotnet "$other" serve --platform 127.0.0.1:50991 --grpc-port 50993 --http-port 0 --policy ttl:300
serve this 50994 dotnet "$this" serve --platform 127.0.0.1:50991 --grpc-port 50994 --http-port 0 --policy ttl:300
state=$(mktemp -d)
serve state 50996 dotnet "$this" serve --platform 127.0.0.1:50991 --grpc-port 50996 --http-port 0 --policy ttl:300 --state "$state/state.db"
serve empty 50995 dotnet "$client" --empty 50995

# The first round compiles: read the later ones.
for round in $(seq "${ROUNDS:-3}"); do
  for callers in ${CALLERS:-1 32 128}; do
    for name in other this state empty; do
      [ -z "${address[$name]:-}" ] || echo "round $round, $name: $(dotnet "$client" "${address[$name]}" "${PAIRS:-50000}" "$callers" "${server[$name]}")"
    done
  done
done
