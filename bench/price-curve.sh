#!/usr/bin/env bash
# What each price of waiting leads to: mean wait and wasted memory of `adaptive` at its ten prices, beside other policies.
#
#   bench/price-curve.sh SECONDS PREFIX   the first SECONDS of an Azure 2019 sample; PREFIX_{inv,run,mem}.csv are its files
#
# Prints the table of docs/how-to/choose-a-price.md and draws docs/images/price-curve.svg (SVG=FILE: another file).
set -euo pipefail

seconds=${1:?say how many seconds of the trace}
prefix=${2:?give the common path of the files, before _inv.csv}
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${FUNCSCALER:-}" ]; then
  dotnet build "$root/src/ScalerHost" -c Release -v q -nologo >&2
  FUNCSCALER="dotnet $root/artifacts/bin/ScalerHost/release/funcscaler.dll"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
policies=$(printf 'adaptive:price=%s,' 0.5 1 2 4 8 16 32 64 128 256)ttl:60,ttl:300,ttl:600,hybrid-histogram,greedy-dual:1000
$FUNCSCALER simulate --azure2019 "$prefix" --length "$seconds" --policy "$policies" --json > "$work/result.json"
"$root/bench/price-curve.py" "$work/result.json" "${SVG:-$root/docs/images/price-curve.svg}"
