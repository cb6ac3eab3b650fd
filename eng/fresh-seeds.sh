#!/usr/bin/env bash
# Plays simulations and fuzzers on seeds that nobody has seen, for some minutes: eng/fresh-seeds.sh [MINUTES], 30 unless told otherwise.
# Prints each batch's first seed. Ends with 1 at the first failure, whose output says how to repeat it.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-30}
[[ $minutes =~ ^[0-9]+$ ]] || { echo "eng/fresh-seeds.sh: '$minutes' is no number of minutes; give a whole number." >&2; exit 2; }
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
tests=(tests/Leasing.Tests tests/Shared.Tests tests/ContestSimulator.Tests tests/ScalerHost.Tests)
filters=(No_schedule_breaks_a_promise No_schedule_breaks_an_invariant TraceFuzz HostFuzz)
for project in "${tests[@]}"; do
  dotnet build "$project" -v q --nologo >/dev/null
done

# Fuzzers count seeds in 31 bits.
end=$((SECONDS + 60 * minutes))
dotnet build src/ScalerHost -v q --nologo >/dev/null
batches=0
while ((SECONDS < end)); do
  seed=$(($(date +%s) % 1000000 * 1000 + RANDOM % 1000))
  echo "batch $((++batches)): seeds from $seed on"
  dotnet artifacts/bin/ScalerHost/debug/funcscaler.dll soak --seed "$seed" --schedules 5000
  for i in "${!tests[@]}"; do
    FUNCSCALER_SCHEDULE_SEED=$seed FUNCSCALER_SCHEDULES=5000 FUNCSCALER_FUZZ_SEED=$seed FUNCSCALER_FUZZ=500 \
      dotnet test "${tests[$i]}" --no-build --nologo -v q --filter "${filters[$i]}"
  done
done
echo "$batches batches, no failure"
