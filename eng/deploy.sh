#!/usr/bin/env bash
# Deploys FuncScaler to the subscription that `az` is signed in to: shows what would change, asks, deploys, publishes the app, and tries it.
# docs/how-to/deploy.md. Needs az (signed in, with bicep), dotnet, zip; for --host containerApp nothing is built here: the registry does it.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  sed -n '2,3s/^# //p' "$0"
  echo "usage: eng/deploy.sh [--env dev|prod] [--location REGION] [--name NAME] [--host functions|containerApp]"
  echo "                     [--durable storage|scheduler] [--yes] [--what-if-only] [--skip-smoke]"
  exit "${1:-0}"
}

env=dev location=westeurope name='' host=functions durable=storage yes=no only=no smoke=yes
while [ $# -gt 0 ]; do
  case $1 in
    --env) env=${2:?}; shift ;;
    --location) location=${2:?}; shift ;;
    --name) name=${2:?}; shift ;;
    --host) host=${2:?}; shift ;;
    --durable) durable=${2:?}; shift ;;
    --yes) yes=yes ;;
    --what-if-only) only=yes ;;
    --skip-smoke) smoke=no ;;
    -h | --help) usage 0 ;;
    *) echo "deploy: $1 is not known" >&2; usage 2 >&2 ;;
  esac
  shift
done

fail() { echo "deploy: $*" >&2; exit 1; }

parameters=infra/bicep/$env.bicepparam
[ -f "$parameters" ] || fail "there is no $parameters: --env is dev or prod"
case $host in functions | containerApp) ;; *) fail "--host is functions or containerApp" ;; esac
case $durable in storage | scheduler) ;; *) fail "--durable is storage or scheduler" ;; esac
name=${name:-$env}
[[ $name =~ ^[a-z][a-z0-9]{1,11}$ ]] || fail "--name $name: 2 to 12 of a-z and 0-9, beginning with a letter"
if [ "$host" = containerApp ] && [ -z "${SCALER_TOKEN:-}" ]; then
  fail "the self-host asks who calls: export SCALER_TOKEN, for example a token that 'funcscaler token' prints"
fi
missing=()
for tool in az curl $([ "$host" = functions ] && echo dotnet zip); do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} -eq 0 ] || fail "missing on this machine: ${missing[*]}"
az account show --query name -o tsv || fail "sign in first: az login"

# What is deployed is the token's hash.
export SCALER_TOKEN_SHA256=$([ -z "${SCALER_TOKEN:-}" ] || printf %s "$SCALER_TOKEN" | sha256sum | cut -d' ' -f1)
export AZURE_ENV_NAME=$name AZURE_LOCATION=$location SCALER_HOST=$host DURABLE_PROVIDER=$durable SCALER_IMAGE=${SCALER_IMAGE:-}
deployment=funcscaler-$name

publish=()
if [ "$host" = functions ]; then
  # Built first: a deployment that cannot be followed by the app is of no use.
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  [ "$durable" = storage ] || publish+=("-p:DurableTaskScheduler=true")
  # Compiled for the machines of the plan beforehand: half a worker's first seconds are compiling.
  dotnet publish -c Release src/ScalerFunctions -r linux-x64 --self-contained false -p:PublishReadyToRun=true -o "$work/app" -v q -nologo "${publish[@]}" || fail "src/ScalerFunctions cannot be published: docs/how-to/building.md"
  (cd "$work/app" && zip -qr "$work/app.zip" .)
fi

for provider in Microsoft.Web Microsoft.Storage Microsoft.ContainerInstance Microsoft.OperationalInsights Microsoft.Insights Microsoft.App \
  Microsoft.ContainerRegistry Microsoft.Network Microsoft.ManagedIdentity Microsoft.DurableTask Microsoft.StandbyPool; do
  az provider register -n "$provider" -o none
done

# Never without having shown what it will do.
deploy() {
  az deployment sub what-if -n "$deployment" -l "$location" -p "$parameters"
  [ $only = no ] || exit 0
  if [ $yes = no ]; then
    read -rp "deploy this? [y/N] " answer
    [ "$answer" = y ] || fail "this was not deployed"
  fi
  az deployment sub create -n "$deployment" -l "$location" -p "$parameters" -o none
}

outputs() { az deployment sub show -n "$deployment" --query "properties.outputs.$1.value" -o tsv; }

deploy
group=$(outputs AZURE_RESOURCE_GROUP)

if [ "$host" = functions ]; then
  app=$(outputs SCALER_NAME)
  # Role assignments take a minute or two to reach storage; until then the package is refused.
  for attempt in 1 2 3 4 5; do
    az functionapp deployment source config-zip -g "$group" -n "$app" --src "$work/app.zip" -o none && break
    [ $attempt -lt 5 ] || fail "the app's package was refused five times"
    echo "deploy: not yet; again in 30 s"
    sleep 30
  done
  key=$(az functionapp keys list -g "$group" -n "$app" --query functionKeys.default -o tsv)
  http=()
else
  if [ -z "$SCALER_IMAGE" ]; then
    tag=$(git rev-parse --short HEAD 2>/dev/null || date +%s)
    az acr build -r "$(outputs REGISTRY_NAME)" -t "funcscaler:$tag" --target serve . -o none
    export SCALER_IMAGE=$(outputs AZURE_CONTAINER_REGISTRY_ENDPOINT)/funcscaler:$tag
  fi
  # A second time: now the app itself, with the image that the first made a registry for.
  deploy
  key='' http=(--http2)
fi

url=$(outputs SCALER_URL)
echo "deploy: the scaler is at $url; its slots are in resource group $(outputs SLOTS_RESOURCE_GROUP)"
if [ $smoke = yes ]; then
  SCALER_KEY=$key eng/smoke.sh "$url" "${http[@]}"
fi
