"""The same from Python, with the C core of gRPC: `interop.py client host:port http://host:port`, or `interop.py server`.

The first lines of stdin are descriptors of the .proto files (base64), so that no code has to be generated.
"""

import base64
import collections
import json
import os
import sys
import threading
import time
import urllib.request
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

POOL = descriptor_pool.DescriptorPool()
for _ in range(3):
    POOL.Add(descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(sys.stdin.readline())))


def message(name):
    descriptor = POOL.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(POOL).GetPrototype(descriptor)


SIMULATOR = "serverless.simulator."
HEALTH = "grpc.health.v1."
REFLECTION = "grpc.reflection.v1alpha."


def exit_with_stdin():
    """Whoever started this holds the other end of stdin: when it is gone, so is this."""
    sys.stdin.read()
    os._exit(1)


threading.Thread(target=exit_with_stdin, daemon=True).start()


def client(address, http, full):
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(address, options=unlimited)

    def method(path, reply):
        return channel.unary_unary(
            path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=message(reply).FromString)

    assign_method = method("/serverless.simulator.Scaler/Assign", SIMULATOR + "AssignReply")
    idle_method = method("/serverless.simulator.Scaler/Idle", SIMULATOR + "IdleReply")
    check_method = method("/grpc.health.v1.Health/Check", HEALTH + "HealthCheckResponse")

    def request(key, request_id):
        value = message(SIMULATOR + "AssignRequest")(request_id=request_id)
        value.meta_data.key = key
        value.meta_data.memory_in_mb = 512
        return value

    def release(granted):
        idle_method(message(SIMULATOR + "IdleRequest")(assigment=granted.assigment))

    def outcome_of(call):
        try:
            call()
            return {"code": 0}
        except grpc.RpcError as error:
            return {"code": error.code().value[0], "details": error.details()}
        except grpc.FutureCancelledError:
            return {"code": 1}

    def echo(request_id, **options):
        reply = None

        def call():
            nonlocal reply
            reply = assign_method(request("f", request_id), **options)
            release(reply)

        return {**outcome_of(call), "characters": len(reply.assigment.request_id) if reply else None}

    def requests():
        with urllib.request.urlopen(http + "/api/stats") as answer:
            return json.load(answer)["requests"]

    def waiting(wanted):
        """How many requests wait, once that many do, or at the end of patience."""
        for _ in range(2000):
            if requests()["waiting"] == wanted:
                return wanted
            time.sleep(0.005)
        return requests()["waiting"]

    outcome = {}
    granted, call = assign_method.with_call(request("f", "r1"))
    headers = dict(call.initial_metadata())
    outcome["ok"] = {
        "code": 0, "instance": granted.assigment.instance_id,
        "address": headers.get("x-instance-address"), "start": headers.get("x-instance-start")}
    outcome["released"] = outcome_of(lambda: release(granted))
    outcome["releasedTwice"] = outcome_of(lambda: release(granted))
    outcome["invalid"] = outcome_of(lambda: assign_method(request("f", "")))
    outcome["refused"] = outcome_of(lambda: assign_method(request("refused", "refused")))

    # On a busy machine a call may be over before it has arrived; the server tells.
    seconds, arrived = 0.3, False
    while not arrived:
        before = requests()["assigns"]
        outcome["deadline"] = outcome_of(lambda: assign_method(request("wait", f"deadline {seconds}"), timeout=seconds))
        arrived = requests()["assigns"] > before
        seconds *= 2
    outcome["deadline"]["waiting"] = waiting(0)

    one = assign_method.future(request("wait", "cancel"))
    waiting(1)
    one.cancel()
    outcome["cancelled"] = outcome_of(one.result)
    outcome["cancelled"]["waiting"] = waiting(0)
    outcome["gzip"] = echo("z" * 500, compression=grpc.Compression.Gzip)
    outcome["deflate"] = echo("z" * 500, compression=grpc.Compression.Deflate)
    outcome["large"] = echo("x" * 512)
    outcome["tooLarge"] = echo("x" * (5 << 20))
    outcome["afterTooLarge"] = echo("x")
    explode = method("/serverless.simulator.Scaler/Explode", SIMULATOR + "AssignReply")
    outcome["unknown"] = outcome_of(lambda: explode(request("f", "r")))
    check = message(HEALTH + "HealthCheckRequest")
    scaler = check(service=SIMULATOR + "Scaler")
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message(HEALTH + "HealthCheckResponse").FromString)(scaler)
    outcome["health"] = {
        "server": check_method(check(service="")).status, "service": check_method(scaler).status, "watched": next(watch).status}
    watch.cancel()
    outcome["healthOfNobody"] = outcome_of(lambda: check_method(check(service="nobody")))
    reflection = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message(REFLECTION + "ServerReflectionResponse").FromString)
    listed = next(reflection(iter([message(REFLECTION + "ServerReflectionRequest")(list_services="*")])))
    outcome["reflection"] = [service.name for service in listed.list_services_response.service]
    parallel = [assign_method.future(request("together", f"p{i}")) for i in range(1000)]

    # As each is answered: an instance that is given back serves another.
    def right(granted, request_id):
        release(granted)
        return granted.assigment.request_id == request_id

    with futures.ThreadPoolExecutor(32) as pool:
        outcome["parallel"] = {"right": sum(pool.map(lambda i: right(parallel[i].result(), f"p{i}"), range(1000)))}
    outcome["full"] = refusals(full)
    print(json.dumps(outcome), flush=True)


def refusals(full):
    """What a scaler that takes no more assigns answers to many of them, and to other calls in between, on one connection."""
    channel = grpc.insecure_channel(full)
    assign = channel.unary_unary(
        "/serverless.simulator.Scaler/Assign",
        request_serializer=lambda m: m.SerializeToString(), response_deserializer=message(SIMULATOR + "AssignReply").FromString)
    idle = channel.unary_unary(
        "/serverless.simulator.Scaler/Idle",
        request_serializer=lambda m: m.SerializeToString(), response_deserializer=message(SIMULATOR + "IdleReply").FromString)
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=lambda m: m.SerializeToString(), response_deserializer=message(HEALTH + "HealthCheckResponse").FromString)

    def refusal(request_id):
        request = message(SIMULATOR + "AssignRequest")(request_id=request_id)
        request.meta_data.key, request.meta_data.memory_in_mb = "f", 512
        try:
            assign(request)
        except grpc.RpcError as error:
            return error

    # Until its memory is looked at, it lets assigns in.
    for i in range(1000):
        last = refusal(f"first {i}")
        if last:
            break
        time.sleep(0.01)
    with futures.ThreadPoolExecutor(32) as pool:
        errors = list(pool.map(lambda i: refusal("x" * (i * 100)), range(500)))
    last = errors[-1]
    metadata = {**dict(last.initial_metadata()), **dict(last.trailing_metadata())}
    lost = message(SIMULATOR + "IdleRequest")()
    lost.assigment.request_id = lost.assigment.meta_key = lost.assigment.instance_id = "lost"
    try:
        idle(lost)
    except grpc.RpcError as error:
        released = error.code().value[0]
    return {
        "refused": sum(e is not None and e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED for e in errors),
        "details": last.details(), "pushback": metadata.get("grpc-retry-pushback-ms"), "isDated": "date" in metadata,
        "released": released, "health": check(message(HEALTH + "HealthCheckRequest")(service="")).status}


def server():
    seen = collections.defaultdict(threading.Event)  # "started wait-1", "cancelled wait-1"
    reply_type = message(SIMULATOR + "CreateSlotReply")

    def create_slot(request, context):
        reply = reply_type()
        memory = request.resource_config.memory_in_megabytes
        if memory == 429:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "没有内存了: 100% 🚀\n")
        elif request.request_id.startswith("wait"):
            cancelled = seen["cancelled " + request.request_id]
            context.add_callback(cancelled.set)
            seen["started " + request.request_id].set()
            cancelled.wait()
        elif request.request_id == "deadline":
            reply.error_message = str(round(context.time_remaining() / 60))
        elif request.request_id == "large":
            reply.error_message = "x" * (60 << 10)
        elif request.request_id == "gzip":
            context.set_compression(grpc.Compression.Gzip)
            reply.error_message = "z" * 5000
        else:
            reply.slot.id = "slot-" + request.request_id if memory == 1 else f"slot-of-{memory}"
            reply.slot.resource_config.CopyFrom(request.resource_config)
            reply.slot.create_duration_in_ms = 500
        return reply

    def destroy_slot(request, _):
        if not request.id.startswith("slot-"):
            seen[request.id].wait()
        return message(SIMULATOR + "DestroySlotReply")()

    def handler(behaviour, request):
        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=message(SIMULATOR + request).FromString,
            response_serializer=lambda m: m.SerializeToString())

    # Without so_reuseport two servers could come to share a port.
    grpc_server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    grpc_server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        SIMULATOR + "Platform",
        {"CreateSlot": handler(create_slot, "CreateSlotRequest"), "DestroySlot": handler(destroy_slot, "DestroySlotRequest")})])
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    print(port, flush=True)
    grpc_server.wait_for_termination()


if sys.argv[1] == "client":
    client(*sys.argv[2:5])
    os._exit(0)
else:
    server()
