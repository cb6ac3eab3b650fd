#!/usr/bin/env bash
# What TLS and credentials cost a warm Assign with its Idle: scalers with other security files, called in short slices in turn.
# usage: bench/tls.sh     ROUNDS=40 SLICE_MS=500 CALLERS="1 32"
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet build -c Release -v q -nologo bench/WarmAssign
dotnet build -c Release -v q -nologo src/ScalerHost
this=artifacts/bin/ScalerHost/release/funcscaler.dll client=artifacts/bin/WarmAssign/release/warm-assign.dll
folder=$(mktemp -d) pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT

# An authority, and of it a certificate for the server and one for a caller.
issue() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$folder/$1.key" -subj "/CN=$1" -out "$folder/$1.csr"
  openssl x509 -req -in "$folder/$1.csr" -CA "$folder/authority.pem" -CAkey "$folder/authority.key" -days 2 -out "$folder/$1.pem" -extfile <(printf '%s\n' "$2" "subjectAltName=DNS:$1,IP:127.0.0.1")
}
{
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$folder/authority.key" -subj /CN=authority -days 2 -out "$folder/authority.pem"
  issue server extendedKeyUsage=serverAuth
  issue caller extendedKeyUsage=clientAuth
} 2>/dev/null
cat "$folder/caller.key" >>"$folder/caller.pem"
token=0123456789012345678901234567890123456789012
hash=$(printf %s "$token" | sha256sum | cut -d' ' -f1)
tls='"tls": { "certificate": "server.pem", "key": "server.key", "clientAuthorities": "authority.pem" },'
printf '{ "callers": [{ "name": "a", "tokenSha256": "%s", "rights": ["call"] }] }' "$hash" >"$folder/token.json"
printf '{ %s "callers": [{ "name": "a", "tokenSha256": "%s", "certificateName": "caller", "rights": ["call"] }] }' "$tls" "$hash" >"$folder/tls.json"

until_said() { for _ in $(seq 600); do [ "$(grep -c "$1" "$folder/log")" -ge "$2" ] && return; sleep 0.2; done; cat "$folder/log" >&2; exit 1; }
dotnet "$this" platform --preset dense --port 50971 --control-port 50972 --scaler 127.0.0.1:50973 >>"$folder/log" 2>&1 & pids+=($!)
for _ in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/50971) 2>/dev/null && break; sleep 0.2; done
served=0
serve() {
  local port=$1; shift
  dotnet "$this" serve --platform 127.0.0.1:50971 --grpc-port "$port" --http-port 0 --policy ttl:300 --max-delay 0 "$@" >>"$folder/log" 2>&1 & pids+=($!)
  served=$((served + 1))
  until_said 'gRPC on' "$served"
}
serve 50973
serve 50974 --security "$folder/token.json"
serve 50975 --security "$folder/tls.json"
serve 50976 --security "$folder/tls.json"
for callers in ${CALLERS:-1 32}; do
  dotnet "$client" --beside "${ROUNDS:-40}" "${SLICE_MS:-500}" "$callers" plain=http://127.0.0.1:50973 "token=http://127.0.0.1:50974,token:$token" \
    "TLS and token=https://127.0.0.1:50975,authority:$folder/authority.pem,token:$token" "TLS and certificate=https://127.0.0.1:50976,authority:$folder/authority.pem,certificate:$folder/caller.pem"
done
