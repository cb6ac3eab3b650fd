#!/usr/bin/env bash
# Packs the tool and the policies from a build that is there, installs the tool into a temporary folder, and runs it. Nothing is left.
#   eng/check-packages.sh [CONFIGURATION]    Debug where none is named
set -euo pipefail
cd "$(dirname "$0")/.."
configuration=${1:-Debug}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "packages: FAILED: $*" >&2; exit 1; }

for project in src/ScalerHost src/Shared; do
  dotnet pack "$project" --no-build -c "$configuration" -o "$work/feed" -v q -nologo >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$project does not pack"; }
done

# From that folder alone: no feed is asked, and none can answer with a package of the same name.
dotnet tool install funcscaler --tool-path "$work/tool" --source "$work/feed" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "the tool does not install"; }
version=$("$work/tool/funcscaler" --version) || fail "funcscaler --version ends with $?"
"$work/tool/funcscaler" simulate --preset smoke --length 20 --policy ttl:2 --json >"$work/result.json" || fail "funcscaler simulate ends with $?"
grep -q '"score"' "$work/result.json" || fail "funcscaler simulate prints no score"

# What somebody who embeds the policies gets: the assembly, its docstrings and a page.
policies=("$work"/feed/FuncScaler.Shared.*.nupkg)
python3 -m zipfile -l "${policies[0]}" >"$work/files"
for file in lib/net10.0/FuncScaler.Shared.dll lib/net10.0/FuncScaler.Shared.xml README.md; do
  grep -q "$file" "$work/files" || fail "the package of the policies lacks $file"
done
echo "packages: funcscaler $version is packed, installed and run; FuncScaler.Shared is packed"
