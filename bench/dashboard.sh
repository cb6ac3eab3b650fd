#!/usr/bin/env bash
# What viewers of the dashboard cost a loaded scaler: the same load without a viewer, with one, and with as many as may watch, in turn.
# usage: bench/dashboard.sh     SCALER=BUILD/funcscaler.dll ROUNDS=5 PAIRS=40000 CALLERS=32 FUNCTIONS="1 20000" POLICY=ttl:3600
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet build -c Release -v q -nologo bench/WarmAssign
[ -n "${SCALER:-}" ] || dotnet build -c Release -v q -nologo src/ScalerHost
scaler=${SCALER:-artifacts/bin/ScalerHost/release/funcscaler.dll} client=artifacts/bin/WarmAssign/release/warm-assign.dll
log=${LOG:-$(mktemp)} pids=() viewers=()
trap 'kill "${viewers[@]}" "${pids[@]}" 2>/dev/null || true; rm -f "$log"' EXIT

serve() {
  "$@" >>"$log" 2>&1 & pids+=($!)
}
await() {
  for _ in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done
  cat "$log" >&2; exit 1
}
watch() {
  viewers=()
  for _ in $(seq "$1"); do curl -sN "http://127.0.0.1:$http/api/dashboard/stream" >/dev/null & viewers+=($!); done
}
unwatch() {
  [ ${#viewers[@]} -eq 0 ] || { kill "${viewers[@]}"; wait "${viewers[@]}" 2>/dev/null || true; }
  viewers=()
}

serve dotnet "$scaler" platform --preset dense --port 50981 --control-port 50982 --scaler 127.0.0.1:50983
await 50981
grpc=50983 http=50984
for functions in ${FUNCTIONS:-1 20000}; do
  serve dotnet "$scaler" serve --platform 127.0.0.1:50981 --grpc-port $grpc --http-port $http --policy "${POLICY:-ttl:3600}"
  server=${pids[-1]}
  await $grpc
  dotnet "$client" --functions "127.0.0.1:$grpc" "$functions"

  # The first round compiles: read the later ones.
  for round in $(seq "${ROUNDS:-5}"); do
    for count in 0 1 32; do
      watch $count
      # What follows the last viewer for ten seconds must not count for nobody.
      [ $count -ne 0 ] || sleep 11
      echo "$functions functions, round $round, $count viewers: $(dotnet "$client" "127.0.0.1:$grpc" "${PAIRS:-40000}" "${CALLERS:-32}" "$server")"
      unwatch
    done
  done
  kill "$server"; wait "$server" 2>/dev/null || true
  unset 'pids[-1]'
done
