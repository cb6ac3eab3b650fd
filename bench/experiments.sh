#!/usr/bin/env bash
# Remakes the tables of the docs: runs each experiment of bench/experiments, or those named, and prints their tables as Markdown.
#
#   bench/experiments.sh [NAME...]        for example: bench/experiments.sh field-presets
#
# THREADS  processors to use; all if not set
# OUT      the folder for results.csv, results.json and results.parquet, a folder for each; artifacts/experiments if not set. What is there is not run again.
# FUNCSCALER_DATA  the shared traces; ../shared/data beside the checkout if not set. Without them experiments that need them are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
export FUNCSCALER_DATA=${FUNCSCALER_DATA:-$PWD/../shared/data}
out=${OUT:-artifacts/experiments}
[ $# -gt 0 ] || set -- $(cd bench/experiments && ls ./*.json | sed 's|^\./||; s|\.json$||')

for name in "$@"; do
  file=bench/experiments/$name.json
  if grep -q FUNCSCALER_DATA "$file" && [ ! -d "$FUNCSCALER_DATA" ]; then
    echo "no $FUNCSCALER_DATA: $name is left out" >&2
    continue
  fi
  printf '## %s\n\n' "$name"
  dotnet run -c Release --project src/ScalerHost -- simulate --experiment "$file" --out "$out/$name" --markdown ${THREADS:+--threads "$THREADS"}
done
