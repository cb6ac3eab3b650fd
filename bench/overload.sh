#!/usr/bin/env bash
# More load than the scaler can take: server on one core, client and platform on the other, open loop. Draws docs/images/overload.svg.
# usage: bench/overload.sh [OTHER/funcscaler.dll]    RATE=requests a second that it sustains; QUOTA=percent of a core for the server; SECONDS_OVER=60 TIMES="1 3 10 30" POLICY=ttl:60 EXECUTE_MS=20
set -euo pipefail
cd "$(dirname "$0")/.."
server=${1:-artifacts/bin/ScalerHost/release/funcscaler.dll} client=artifacts/bin/Overload/release/overload.dll platform=artifacts/bin/ScalerHost/release/funcscaler.dll
if [ -z "${SKIP_BUILD:-}" ]; then
  dotnet build -c Release -v q -nologo bench/Overload
  dotnet build -c Release -v q -nologo src/ScalerHost
fi
out=${OUT:-artifacts/overload}
mkdir -p "$out"
pids=() group=/sys/fs/cgroup/cpu/funcscaler-overload
trap 'kill -9 "${pids[@]}" 2>/dev/null || true; sleep 1; rmdir "$group" 2>/dev/null || true' EXIT
listens() { for _ in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; echo "nothing listens on $1" >&2; exit 1; }

for times in ${TIMES:-1 3 10 30}; do
  # Everything anew for each load, so that none inherits another's memory.
  taskset -c 1 dotnet "$platform" platform --preset dense --port 50981 --control-port 50982 --scaler 127.0.0.1:50983 >"$out/platform.log" 2>&1 & pids=($!)
  listens 50981
  taskset -c 0 dotnet "$server" serve --platform 127.0.0.1:50981 --grpc-port 50983 --http-port 0 --policy "${POLICY:-ttl:60}" >"$out/server.log" 2>&1 & pids+=($!)
  listens 50983
  echo "load average $(cut -d' ' -f1-3 /proc/loadavg), ${times} times ${RATE:-500}/s"
  taskset -c 1 dotnet "$client" 127.0.0.1:50983 "${pids[1]}" "${RATE:-500}" "$times" "${SECONDS_OVER:-60}" "${EXECUTE_MS:-20}" >"$out/$times.tsv" & load=$!
  if [ -n "${QUOTA:-}" ]; then
    # A client of one core cannot send thirty times what a server of one core sustains, so the server gets less, once it has been compiled.
    sleep 25
    mkdir -p "$group"
    echo 20000 >"$group/cpu.cfs_period_us"
    echo $((QUOTA * 200)) >"$group/cpu.cfs_quota_us"
    echo "${pids[1]}" >"$group/cgroup.procs"
  fi
  wait $load
  kill -9 "${pids[@]}"
  wait "${pids[@]}" 2>/dev/null || true
done
bench/overload.py "$out" "${SVG:-docs/images/overload.svg}"
