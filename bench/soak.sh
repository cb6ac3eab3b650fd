#!/usr/bin/env bash
# Mixed abuse of a scaler on the process backend for so many minutes, and whether what it holds stays flat.
#
#   bench/soak.sh MINUTES             1 to 240
#
# Bursts, callers that go away, wrong releases, functions that fail at start, write endlessly or die, alternating settings, unknown keys,
# floods of HTTP/2 frames, and one well-behaved caller in between (bench/soak/abuse.py). Memory, descriptors, threads and processes are
# read every 10 s. The table at the end compares the last quarter with the one before it; exit code 1 where something grew.
#
#   SEED=1                            another order of events
#   POLICY=adaptive                   how instances are kept
#   OUT=DIR                           keep samples.csv and scaler.log there
#   FUNCSCALER="dotnet funcscaler.dll" another build
set -euo pipefail

minutes=${1:?give the minutes, 1 to 240}
case $minutes in '' | *[!0-9]*) echo "soak: '$minutes' is no number of minutes: give 1 to 240" >&2; exit 2 ;; esac
[ "$minutes" -ge 1 ] && [ "$minutes" -le 240 ] || { echo "soak: $minutes minutes is out of range: give 1 to 240" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${FUNCSCALER:-}" ]; then
  dotnet build "$root/src/ScalerHost" -c Release -v q -nologo >&2
  FUNCSCALER="dotnet $root/artifacts/bin/ScalerHost/release/funcscaler.dll"
fi

work=$(mktemp -d)
out=${OUT:-$work}
mkdir -p "$out"
scaler=
finish() {
  [ -z "$scaler" ] || { kill "$scaler" 2>/dev/null && wait "$scaler" 2>/dev/null; } || true
  rm -rf "$work"
}
trap finish EXIT

$FUNCSCALER serve --backend process --functions "$root/bench/soak/functions.json" --policy "${POLICY:-adaptive}" --grpc-port 0 --http-port 0 \
  > "$work/serving" 2> "$out/scaler.log" &
scaler=$!
for _ in $(seq 100); do
  grep -q "^funcscaler: policy" "$work/serving" && break
  kill -0 "$scaler" 2>/dev/null || { cat "$out/scaler.log" >&2; exit 1; }
  sleep 0.1
done
grpc=$(sed -n 's/.*gRPC on [^ ]*:\([0-9]*\),.*/\1/p' "$work/serving")
http=$(sed -n 's/.*HTTP on [^ ]*:\([0-9]*\),.*/\1/p' "$work/serving")

status=0
python3 "$root/bench/soak/abuse.py" --pid "$scaler" --grpc "$grpc" --http "$http" --minutes "$minutes" --seed "${SEED:-1}" --samples "$out/samples.csv" || status=$?
echo "lines in the scaler's log: $(wc -l < "$out/scaler.log")"
grep -oE ' (warn|error) [A-Za-z.]+\[[0-9]+\]' "$out/scaler.log" | sort | uniq -c | sort -rn | head -10 || true
exit "$status"
