#!/usr/bin/env bash
# Starts the scaler on processes and the gateway, measures cold and warm calls of the sample functions, prints the table, stops both.
set -euo pipefail
cd "$(dirname "$0")/.."
calls=${1:-20}
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build -c Release src/ScalerHost -v q >&2
dotnet build -c Release samples/gateway -v q >&2
log=$(mktemp)
dotnet artifacts/bin/ScalerHost/release/funcscaler.dll serve --backend process --functions samples/functions.json --policy ttl:1 --grpc-port 0 --http-port 0 >"$log" &
scaler=$!
trap 'kill "$scaler" 2>/dev/null || true; wait "$scaler" 2>/dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 100); do
  port=$(sed -nE 's/.*HTTP on 127\.0\.0\.1:([0-9]+).*/\1/p' "$log")
  [ -n "$port" ] && break
  kill -0 "$scaler" 2>/dev/null || { echo "the scaler did not start" >&2; exit 1; }
  sleep 0.1
done
dotnet artifacts/bin/Gateway/release/gateway.dll --scaler "http://127.0.0.1:$port" --listen http://127.0.0.1:8123 --functions samples/functions.json --measure "$calls"
