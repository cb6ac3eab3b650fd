#!/usr/bin/env bash
# The speed of virtual time: 561,570 s of the preset dense (about 5.28 million requests, the size of the contest's dataSet_2), one
# policy, on one core. Prints requests per second of wall time, generating the trace included, and the process's peak memory.
#
#   bench/simulate-speed.sh [POLICY]  POLICY: ttl:9 if not given
#
# Ends with 1 where it is slower than 500,000 requests per second or takes 300 MB or more.
set -euo pipefail

policy=${1:-ttl:9}
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${FUNCSCALER:-}" ]; then
  dotnet build "$root/src/ScalerHost" -c Release -v q -nologo >&2
  FUNCSCALER="dotnet $root/artifacts/bin/ScalerHost/release/funcscaler.dll"
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT
pin=()
if command -v taskset > /dev/null; then
  pin=(taskset -c 0)
fi

# The time of the policy's run is in the document; the bound, which the command computes after it, is not part of that.
"${pin[@]}" $FUNCSCALER simulate --preset dense --length 561570 --policy "$policy" --threads 1 --json > "$out" &
child=$!
peak=0
while kill -0 "$child" 2> /dev/null; do
  now=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$child/status" 2> /dev/null || true)
  if [ "${now:-0}" -gt "$peak" ]; then
    peak=$now
  fi

  sleep 0.05
done
wait "$child"

requests=$(sed -n 's/.*"requests": *\([0-9]*\).*/\1/p' "$out" | head -n 1)
elapsed=$(sed -n 's/.*"elapsedSeconds": *\([0-9.eE+-]*\).*/\1/p' "$out" | head -n 1)
LC_ALL=C awk -v policy="$policy" -v n="$requests" -v s="$elapsed" -v kb="$peak" 'BEGIN {
  rate = n / s
  mb = kb / 1024
  printf "%s: %d requests in %.2f s on one core: %.0f requests/s; peak memory %.0f MB\n", policy, n, s, rate, mb
  exit !(rate >= 500000 && mb < 300)
}'
