#!/usr/bin/env bash
# Whether two builds decide alike: `simulate --json` of every policy on every shared trace and preset, compared to the last digit.
#
#   bench/compare-builds.sh [--quick] [--threads N] BASE NEW
#
# BASE and NEW are builds' funcscaler.dll. Prints "identical" or the differences in scores per trace; ends with 1 where there are any.
# --quick   the same traces cut short: a minute instead of an hour
# POLICIES  the policies to compare, as for --policy; all if not set
# TRACES    a pattern of grep -E for the names of the traces to compare; all if not set
# SEEDS     seeds of the presets, separated by spaces; 1 if not set
# FUNCSCALER_DATA  the shared data; ../shared/data beside the checkout if not set
# What a build has answered is kept in ${XDG_CACHE_HOME:-~/.cache}/funcscaler, by the build's contents: the base is computed once.
set -euo pipefail

quick=no threads=2
while [[ ${1:-} == --* ]]; do
  case $1 in
    --quick) quick=yes ;;
    --threads) threads=$2; shift ;;
    *) echo "compare-builds.sh: there is no option $1; see its first lines" >&2; exit 64 ;;
  esac
  shift
done
base=${1:?give the funcscaler.dll of the base build}
new=${2:?give the funcscaler.dll of the new build}
for build in "$base" "$new"; do
  [ -f "$build" ] || { echo "compare-builds.sh: there is no file $build: give the path of a build's funcscaler.dll" >&2; exit 66; }
done
root=$(cd "$(dirname "$0")/.." && pwd)
data=${FUNCSCALER_DATA:-$root/../shared/data}
policies=${POLICIES:-all}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/funcscaler/compare-builds

# One line per run: its name, and how simulate is told to read the trace.
runs() {
  local cut seed preset
  for set in dataSet_1 dataSet_3 function_smoke_test; do
    [ -d "$data/contest/$set" ] || { echo "no $data/contest/$set: left out" >&2; continue; }
    case $quick-$set in
      yes-dataSet_1) cut="--length 3000" ;;
      yes-dataSet_3) cut="--length 150" ;;
      *) cut="" ;;
    esac
    echo "$set --data $data/contest/$set $cut"
  done
  if [ -f "$data/azure2019/200_inv.csv" ]; then
    echo "azure2019 --azure2019 $data/azure2019/200 $([ $quick = yes ] && echo --length 5000)"
  else
    echo "no $data/azure2019: left out" >&2
  fi
  for seed in ${SEEDS:-1}; do
    for preset in sparse dense faas smoke sparse-long dense-long faas-long smoke-long; do
      case $quick-$preset in
        yes-sparse*) cut="--length 8000" ;;
        yes-dense*) cut="--length 1000" ;;
        yes-faas*) cut="--length 120" ;;
        *) cut="" ;;
      esac
      echo "$preset-$seed --preset $preset --seed $seed $cut"
    done
  done
}

# What a build answers, without the times it took. The build is known by the assemblies that decide and simulate.
answer() {
  local dll=$1 name=$2 dir out
  shift 2
  dir=$(dirname "$dll")
  dir=$cache/$(cat "$dir"/FuncScaler.Shared.dll "$dir"/*ContestSimulator*.dll "$dir"/funcscaler.dll | sha256sum | cut -c 1-16)
  mkdir -p "$dir"
  out=$dir/$(echo "$name $policies $*" | sha256sum | cut -c 1-16).json
  if [ ! -f "$out" ]; then
    dotnet "$dll" simulate "$@" --policy "$policies" --threads "$threads" --json | grep -v '"elapsedSeconds"' > "$out.$$"
    mv "$out.$$" "$out"
  fi
  echo "$out"
}

# "policy score" per line, in one order.
scores() {
  LC_ALL=C awk '/"policy":/ { gsub(/[",]/, "", $2); policy = $2 } /"score":/ { gsub(/,/, "", $2); print policy, $2 }' "$1" | LC_ALL=C sort
}

status=0
while read -r name options; do
  # shellcheck disable=SC2086
  before=$(answer "$base" "$name" $options)
  # shellcheck disable=SC2086
  after=$(answer "$new" "$name" $options)
  if cmp -s "$before" "$after"; then
    echo "$name: identical"
    continue
  fi
  status=1
  echo "$name: DIFFERENT"
  LC_ALL=C join <(scores "$before") <(scores "$after") |
    LC_ALL=C awk '{ if ($2 != $3) { printf "  %-20s %.3f -> %.3f (%+.3f)\n", $1, $2, $3, $3 - $2; n++ } } END { if (!n) print "  scores are identical, other figures are not" }'
done < <(runs | grep -E "${TRACES:-}")
[ $status = 0 ] && echo "identical"
exit $status
