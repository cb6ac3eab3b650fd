#!/usr/bin/env bash
# Virtual time against real time: the scores of `simulate` and of `contest` (real sockets, real time) on the same slices.
#
#   bench/fidelity.sh DATA_DIR        DATA_DIR holds dataSet_1 and dataSet_3
#
# A pair per policy and slice, and the difference. `simulate` is run twice: with its own price of the wire, and with what the contest
# measured for a warm Assign and Idle (--rpc-ms), which is a property of the machine and of its load. Takes about nine minutes.
#
#   POLICIES="ttl:9 capped"           other policies
#   SLICES="dataSet_3:600:90:30"      other slices: data set, --from, --length and --tail, all in seconds
#   JOBS=1                            one run after the other: slower, and less distorted where there are few cores
#   FUNCSCALER="dotnet funcscaler.dll" another build
set -euo pipefail

data=${1:?give the folder that holds dataSet_1 and dataSet_3}
root=$(cd "$(dirname "$0")/.." && pwd)
policies=${POLICIES:-ttl:300 ttl:9 capped prealloc}
slices=${SLICES:-dataSet_3:600:90:30 dataSet_1:14876:120:30}
jobs=${JOBS:-4}
if [ -z "${FUNCSCALER:-}" ]; then
  dotnet build "$root/src/ScalerHost" -c Release -v q -nologo >&2
  FUNCSCALER="dotnet $root/artifacts/bin/ScalerHost/release/funcscaler.dll"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first number of a field in a JSON document.
field() { sed -n "s/.*\"$1\": *\([-0-9.eE+]*\).*/\1/p" "$2" | head -n 1; }

real() {
  local set=$1 from=$2 length=$3 tail=$4 policy=$5 out=$6
  mkdir -p "$out"
  $FUNCSCALER contest --data "$data/$set" --from "$from" --length "$length" --tail "$tail" --policy "$policy" --out "$out" \
    > "$out/table" 2> "$out/errors" || { cat "$out/errors" >&2; return 1; }
  mv "$out"/result_*.json "$out/result.json"
}

virtual() {
  local set=$1 from=$2 length=$3 tail=$4 policy=$5 rpc=$6
  $FUNCSCALER simulate --data "$data/$set" --from "$from" --length "$length" --tail "$tail" --policy "$policy" --rpc-ms "$rpc" --json
}

for slice in $slices; do
  IFS=: read -r set from length tail <<< "$slice"
  running=0
  for policy in $policies; do
    real "$set" "$from" "$length" "$tail" "$policy" "$work/$set-${policy/:/-}" &
    running=$((running + 1))
    if [ "$running" -ge "$jobs" ]; then
      wait -n
      running=$((running - 1))
    fi
  done
  wait
done

printf '%-24s %-10s %8s %8s %8s %8s %9s %8s\n' slice policy real rpc-ms virtual diff 'at 0.3 ms' diff
for slice in $slices; do
  IFS=: read -r set from length tail <<< "$slice"
  for policy in $policies; do
    out="$work/$set-${policy/:/-}"
    if [ ! -s "$out/result.json" ]; then
      printf '%-24s %-10s failed\n' "$slice" "$policy"
      continue
    fi

    # The table's last column: warm Assign + Idle, mean.
    rpc=$(sed -n 's/.*[^0-9.]\([0-9.]\{1,\}\) ms *│ *$/\1/p' "$out/table" | tail -n 1)
    virtual "$set" "$from" "$length" "$tail" "$policy" "${rpc:-0.3}" > "$out/measured.json"
    virtual "$set" "$from" "$length" "$tail" "$policy" 0.3 > "$out/default.json"
    LC_ALL=C awk -v slice="$slice" -v policy="$policy" -v rpc="${rpc:--}" \
      -v r="$(field score "$out/result.json")" -v m="$(field score "$out/measured.json")" -v d="$(field score "$out/default.json")" \
      'BEGIN { printf "%-24s %-10s %8.2f %8s %8.2f %+8.2f %9.2f %+8.2f\n", slice, policy, r, rpc, m, m - r, d, d - r }'
  done
done
