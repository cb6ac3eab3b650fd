#!/usr/bin/env bash
# What the contest starts in a scaler's container: the scaler on 9001, and its end when the simulator's control port, 9000, closes.
# It listens on every address and asks nobody, as the contest's simulator calls it: run it in the contest's own network only.
# There a refused request has failed, so that none is refused for a delay.
# The platform is at 127.0.0.1:50051, in the same pod. Further arguments go to `funcscaler serve`.
set -u
cd "$(dirname "$0")"

# The contest's, unless told otherwise, as on a machine where they are taken.
scaler_port=${SCALER_PORT:-9001} control_port=${CONTROL_PORT:-9000} platform=${PLATFORM:-127.0.0.1:50051}

# bash opens the connection itself: images need no further tool.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

"${FUNCSCALER:-./funcscaler}" serve --listen 0.0.0.0 --insecure --max-delay 0 --grpc-port "$scaler_port" --http-port "${HTTP_PORT:-8080}" --platform "$platform" --keep --platform-timeout "${PLATFORM_TIMEOUT:-600}" "$@" &
scaler=$!
trap 'kill $scaler 2>/dev/null; wait $scaler; exit' TERM INT

until listens "$scaler_port"; do
  kill -0 $scaler 2>/dev/null || { wait $scaler; status=$?; echo "run.sh: the scaler has ended with status $status" >&2; exit $status; }
  sleep 0.2
done
echo "run.sh: the scaler listens on $scaler_port"

until listens "$control_port"; do
  kill -0 $scaler 2>/dev/null || { echo "run.sh: the scaler has ended before the simulator came" >&2; exit 1; }
  sleep 1
done
echo "run.sh: the simulator listens on $control_port"

while listens "$control_port"; do
  kill -0 $scaler 2>/dev/null || { echo "run.sh: the scaler has ended before the simulator" >&2; exit 1; }
  sleep 1
done
echo "run.sh: the simulator has ended"
kill $scaler
wait $scaler
exit 0
