"""The same from Python, with the C core of gRPC: `interop.py client host:port`, or `interop.py server`.

The first lines of stdin are descriptors of the .proto files (base64), so that no code has to be generated.
"""

import base64
import collections
import json
import os
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

POOL = descriptor_pool.DescriptorPool()
for _ in range(2):
    POOL.Add(descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(sys.stdin.readline())))


def message(name):
    descriptor = POOL.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(POOL).GetPrototype(descriptor)


SIMULATOR = "serverless.simulator."
HEALTH = "grpc.health.v1."


def exit_with_stdin():
    """Whoever started this holds the other end of stdin: when it is gone, so is this."""
    sys.stdin.read()
    os._exit(1)


threading.Thread(target=exit_with_stdin, daemon=True).start()


def client(address):
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(address, options=unlimited)

    def method(path, reply):
        return channel.unary_unary(
            path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=message(reply).FromString)

    assign_method = method("/serverless.simulator.Scaler/Assign", SIMULATOR + "AssignReply")
    check_method = method("/grpc.health.v1.Health/Check", HEALTH + "HealthCheckResponse")

    def request(behaviour, request_id="r"):
        value = message(SIMULATOR + "AssignRequest")(request_id=request_id, timestamp=7)
        value.meta_data.key = behaviour
        value.meta_data.memory_in_mb = 512
        return value

    def outcome_of(call):
        try:
            reply = call()
            return {"code": 0, "characters": len(reply.assigment.request_id), "instance": reply.assigment.instance_id}
        except grpc.RpcError as error:
            return {"code": error.code().value[0], "details": error.details()}
        except grpc.FutureCancelledError:
            return {"code": 1}

    outcome = {
        "ok": outcome_of(lambda: assign_method(request("echo", "r1"))),
        "error": outcome_of(lambda: assign_method(request("error"))),
        "failure": outcome_of(lambda: assign_method(request("failure"))),
    }

    # On a busy machine a call may be over before it has arrived; the server tells.
    seconds, arrived = 0.3, False
    while not arrived:
        outcome["deadline"] = outcome_of(lambda: assign_method(request("wait", f"deadline {seconds}"), timeout=seconds))
        arrived = assign_method(request("until-ended", f"deadline {seconds}")).assigment.instance_id == "ended"
        seconds *= 2

    waiting = assign_method.future(request("wait", "cancel"))
    assign_method(request("until-waiting", "cancel"))
    waiting.cancel()
    outcome["cancelled"] = outcome_of(waiting.result)
    outcome["cancelled"]["seen"] = assign_method(request("until-ended", "cancel")).assigment.instance_id
    outcome["gzip"] = outcome_of(lambda: assign_method(request("echo", "z" * 5000), compression=grpc.Compression.Gzip))
    outcome["deflate"] = outcome_of(lambda: assign_method(request("echo", "z" * 5000), compression=grpc.Compression.Deflate))
    outcome["large"] = outcome_of(lambda: assign_method(request("echo", "x" * (3 << 20))))
    outcome["tooLarge"] = outcome_of(lambda: assign_method(request("echo", "x" * (5 << 20))))
    outcome["afterTooLarge"] = outcome_of(lambda: assign_method(request("echo", "x")))
    explode = method("/serverless.simulator.Scaler/Explode", SIMULATOR + "AssignReply")
    outcome["unknown"] = outcome_of(lambda: explode(request("echo")))
    check = message(HEALTH + "HealthCheckRequest")
    outcome["health"] = {"code": 0, "status": check_method(check(service="")).status}
    outcome["healthOfNobody"] = outcome_of(lambda: check_method(check(service="nobody")))
    parallel = [assign_method.future(request("together", f"p{i}")) for i in range(1000)]
    outcome["parallel"] = {"right": sum(f"p{i}" == call.result().assigment.request_id for i, call in enumerate(parallel))}
    print(json.dumps(outcome), flush=True)


def server():
    seen = collections.defaultdict(threading.Event)  # "started wait-1", "cancelled wait-1"
    reply_type = message(SIMULATOR + "CreateSlotReply")

    def create_slot(request, context):
        reply = reply_type()
        if request.request_id == "error":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "没有内存了: 100% 🚀\n")
        elif request.request_id.startswith("wait"):
            cancelled = seen["cancelled " + request.request_id]
            context.add_callback(cancelled.set)
            seen["started " + request.request_id].set()
            cancelled.wait()
        elif request.request_id == "deadline":
            reply.error_message = str(round(context.time_remaining() / 60))
        elif request.request_id == "large":
            reply.error_message = "x" * (3 << 20)
        elif request.request_id == "gzip":
            context.set_compression(grpc.Compression.Gzip)
            reply.error_message = "z" * 5000
        else:
            reply.slot.id = "slot-" + request.request_id
            reply.slot.resource_config.CopyFrom(request.resource_config)
            reply.slot.create_duration_in_ms = 500
        return reply

    def destroy_slot(request, _):
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
    client(sys.argv[2])
    os._exit(0)
else:
    server()
