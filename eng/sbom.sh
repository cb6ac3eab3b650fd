#!/usr/bin/env bash
# Writes a bill of materials of each program that is shipped, in CycloneDX's form, to artifacts/sbom. Needs the projects restored.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet tool restore
for program in ScalerHost ScalerFunctions; do
  dotnet tool run dotnet-CycloneDX src/$program/$program.csproj --disable-package-restore --output artifacts/sbom --filename $program.json --output-format Json \
    --base-intermediate-output-path "$PWD/artifacts/obj"
done
