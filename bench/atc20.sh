#!/usr/bin/env bash
# The plot of "Serverless in the Wild" (ATC'20) on a sample of the Azure Functions 2019 trace, in the paper's own setting: applications
# instead of functions, each one image of the same memory that executes in no time, and a minute either has an invocation or has not.
#
#   bench/atc20.sh PREFIX [OUT]       PREFIX_{inv,run,mem}.csv are the sample's files; report.html and result.json go to OUT
#
# Prints per keep-alive the p75 over applications of the share of cold starts, and the memory wasted relative to 10 minutes.
set -euo pipefail

prefix=${1:?give the common path of the files, before _inv.csv}
out=${2:-$(mktemp -d)}
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${FUNCSCALER:-}" ]; then
  dotnet build "$root/src/ScalerHost" -c Release -v q -nologo >&2
  FUNCSCALER="dotnet $root/artifacts/bin/ScalerHost/release/funcscaler.dll"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -F, -v OFS=, -v work="$work" '
  NR == 1 { print > (work "/apps_inv.csv"); next }
  !($2 in owner) { owner[$2] = $3; order[++apps] = $2 }
  { for (i = 4; i <= 1443; i++) if ($i > 0) seen[$2, i] = 1 }
  END {
    for (a = 1; a <= apps; a++) {
      app = order[a]
      printf "%s,%s,%s", app, app, owner[app] > (work "/apps_inv.csv")
      for (i = 4; i <= 1443; i++) printf ",%d", ((app, i) in seen) > (work "/apps_inv.csv")
      printf "\n" > (work "/apps_inv.csv")
      print app, app, owner[app] > (work "/apps")
    }
  }' "${prefix}_inv.csv"
{ head -n 1 "${prefix}_run.csv"; awk -F, '{ printf "%s", $0; for (i = 4; i <= 14; i++) printf ",1"; printf "\n" }' "$work/apps"; } > "$work/apps_run.csv"
{ head -n 1 "${prefix}_mem.csv"; awk -F, '{ printf "%s,%s,1", $2, $3; for (i = 4; i <= 12; i++) printf ",128"; printf "\n" }' "$work/apps"; } > "$work/apps_mem.csv"

$FUNCSCALER simulate --azure2019 "$work/apps" --policy hybrid-histogram,ttl:600 --out "$out" > /dev/null
printf '%-26s %12s %14s\n' 'keep-alive' 'p75 cold' 'wasted memory'
LC_ALL=C awk '
  /"sweep"/ { on = 1 }
  on && match($0, /"policy": "[^"]*"/) { policy = substr($0, RSTART + 11, RLENGTH - 12) }
  on && /"p75ColdStartShare"/ { gsub(/[^-0-9.eE+]/, "", $2); p75 = $2 }
  on && /"wastedMemoryRelative"/ { gsub(/[^-0-9.eE+]/, "", $2); printf "%-26s %10.1f %% %13.3f\n", policy, 100 * p75, $2 }' "$out/result.json"
echo "report: $out/report.html" >&2
