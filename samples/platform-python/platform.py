"""A platform of one machine in one file: slots are local processes, and the scaler says when to make and to end them.

    platform.py [--listen HOST:PORT] [--scaler HOST:PORT] [--http PORT]

It serves the contract's service Platform, which the scaler calls, and /invoke/FUNCTION for callers, for whom it asks the scaler. It needs
Debian's packages python3-grpcio and python3-protobuf. It is a sample: it listens on loopback, limits no memory, and asks nobody who calls.
"""

import argparse
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# What each function is: a command that serves HTTP on the port in PORT, and its memory.
SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FUNCTIONS = {
    "wordcount": {"command": [sys.executable, os.path.join(SAMPLES, "wordcount-python", "wordcount.py")], "memory_mb": 128},
}

# --- The contract, as far as it is needed here. With grpcio-tools it would be generated from src/Shared/Contract/scaler.proto. -------------

PACKAGE = "serverless.simulator"
TYPES = {"string": 9, "uint64": 4, "uint32": 13, "int32": 5, "bool": 8}
MESSAGES = {
    "Meta": "key=1:string runtime=3:string timeout_in_secs=4:uint32 memory_in_mb=5:uint64",
    "Assignment": "request_id=1:string meta_key=2:string instance_id=3:string",
    "AssignRequest": "request_id=1:string timestamp=2:uint64 meta_data=3:Meta",
    "AssignReply": "status=1:int32 assigment=2:Assignment error_message=3:string",
    "Result": "status_code=1:int32 duration_in_ms=2:uint64 need_destroy=3:bool reason=4:string",
    "IdleRequest": "assigment=1:Assignment result=2:Result",
    "IdleReply": "status=1:int32 error_message=3:string",
    "ResourceConfig": "memory_in_megabytes=1:uint64",
    "Slot": "id=1:string resource_config=2:ResourceConfig create_time=3:uint64 create_duration_in_ms=4:uint64",
    "CreateSlotRequest": "request_id=1:string resource_config=2:ResourceConfig",
    "CreateSlotReply": "status=1:int32 slot=2:Slot error_message=3:string",
    "DestroySlotRequest": "request_id=1:string id=2:string reason=3:string",
    "DestroySlotReply": "status=1:int32 error_message=2:string",
    "InitRequest": "request_id=1:string slot_id=2:string instance_id=3:string meta_data=4:Meta",
    "InitReply": "status=1:int32 create_time=2:uint64 init_duration_in_ms=3:uint64 error_message=4:string",
}
OK, INTERNAL_ERROR, NOT_FOUND, INVALID_ARGUMENT = 0, 2, 3, 4


def contract():
    file = descriptor_pb2.FileDescriptorProto(name="scaler.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            (field_name, rest), label = field.split("="), 1
            number, kind = rest.split(":")
            if kind in TYPES:
                message.field.add(name=field_name, number=int(number), label=label, type=TYPES[kind])
            else:
                message.field.add(name=field_name, number=int(number), label=label, type=11, type_name=f".{PACKAGE}.{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in MESSAGES}
    if hasattr(message_factory, "GetMessageClass"):
        return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(descriptor) for name, descriptor in found.items()}


M = contract()

# --- The three calls ------------------------------------------------------------------------------------------------------------------


class Slot:
    """Memory that is promised; after Init also a process that serves a function."""

    def __init__(self, memory_mb):
        self.memory_mb = memory_mb
        self.instance = None
        self.process = None
        self.address = None
        self.gone = False


class Platform:
    def __init__(self):
        self.lock = threading.Lock()
        self.slots = {}
        self.instances = {}
        self.numbers = itertools.count(1)
        self.by_request = {}

    def create_slot(self, request, _context):
        """Promises memory. The scaler may ask twice under one request id when an answer was lost: it gets the same slot."""
        memory_mb = request.resource_config.memory_in_megabytes
        if memory_mb == 0:
            return M["CreateSlotReply"](status=INVALID_ARGUMENT, error_message="a slot needs memory")
        with self.lock:
            slot_id = self.by_request.get(request.request_id)
            if slot_id is None or slot_id not in self.slots:
                slot_id = f"slot-{next(self.numbers)}"
                self.slots[slot_id] = Slot(memory_mb)
                if request.request_id:
                    self.by_request[request.request_id] = slot_id
        print(f"create  {slot_id}, {memory_mb} MB", flush=True)
        reply = M["CreateSlotReply"](status=OK)
        reply.slot.id = slot_id
        reply.slot.resource_config.memory_in_megabytes = memory_mb
        reply.slot.create_time = int(time.time() * 1000)
        return reply

    def init(self, request, _context):
        """Binds a slot to a function: starts its process, and answers when that does."""
        begun = time.monotonic()
        function = FUNCTIONS.get(request.meta_data.key)
        if function is None:
            return M["InitReply"](status=INVALID_ARGUMENT, error_message=f"there is no function {request.meta_data.key}")
        with self.lock:
            slot = self.slots.get(request.slot_id)
            if slot is None:
                return M["InitReply"](status=NOT_FOUND, error_message=f"there is no slot {request.slot_id}")
            if slot.instance is not None:
                return M["InitReply"](status=INVALID_ARGUMENT, error_message=f"slot {request.slot_id} is already allocated to {slot.instance}")
            slot.instance = request.instance_id
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            slot.address = f"http://127.0.0.1:{port}"
            slot.process = subprocess.Popen(function["command"], env={**os.environ, "PORT": str(port)}, stdout=subprocess.DEVNULL)
            self.instances[slot.instance] = slot
        while not slot.gone and slot.process.poll() is None and time.monotonic() - begun < 30:
            try:
                urllib.request.urlopen(slot.address + "/health", timeout=1).close()
                took = int((time.monotonic() - begun) * 1000)
                print(f"init    {request.slot_id} as {request.instance_id} of {request.meta_data.key}, {took} ms", flush=True)
                return M["InitReply"](status=OK, create_time=int(time.time() * 1000), init_duration_in_ms=took)
            except OSError:
                time.sleep(0.01)
        return M["InitReply"](status=INTERNAL_ERROR, error_message=f"{request.meta_data.key} does not answer")

    def destroy_slot(self, request, _context):
        """Ends a slot and what runs in it. One that is gone already is NotFound, which the scaler takes for done."""
        with self.lock:
            slot = self.slots.pop(request.id, None)
            if slot is not None:
                self.instances.pop(slot.instance, None)
        if slot is None:
            return M["DestroySlotReply"](status=NOT_FOUND, error_message=f"there is no slot {request.id}")
        slot.gone = True
        if slot.process is not None:
            slot.process.terminate()
            slot.process.wait()
        print(f"destroy {request.id}: {request.reason}", flush=True)
        return M["DestroySlotReply"](status=OK)

    def stop(self):
        for slot in list(self.slots.values()):
            if slot.process is not None:
                slot.process.kill()


def serve(platform, address):
    def handler(call, request):
        return grpc.unary_unary_rpc_method_handler(call, request_deserializer=M[request].FromString, response_serializer=lambda m: m.SerializeToString())

    # Each Init holds a thread while its process starts.
    server = grpc.server(futures.ThreadPoolExecutor(64))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.Platform", {
        "CreateSlot": handler(platform.create_slot, "CreateSlotRequest"),
        "Init": handler(platform.init, "InitRequest"),
        "DestroySlot": handler(platform.destroy_slot, "DestroySlotRequest"),
    }),))
    if server.add_insecure_port(address) == 0:
        sys.exit(f"{address} cannot be opened: stop what uses it, or give another --listen")
    server.start()
    return server


# --- A caller: Assign, call the instance, Idle ------------------------------------------------------------------------------------------


class Scaler:
    def __init__(self, address):
        channel = grpc.insecure_channel(address)

        def method(name, reply):
            return channel.unary_unary(f"/{PACKAGE}.Scaler/{name}", request_serializer=lambda m: m.SerializeToString(), response_deserializer=M[reply].FromString)

        self.assign = method("Assign", "AssignReply")
        self.idle = method("Idle", "IdleReply")
        self.numbers = itertools.count(1)

    def invoke(self, platform, key, body):
        request = M["AssignRequest"](request_id=f"r-{os.getpid()}-{next(self.numbers)}", timestamp=int(time.time() * 1000))
        request.meta_data.key = key
        request.meta_data.timeout_in_secs = 30
        request.meta_data.memory_in_mb = FUNCTIONS[key]["memory_mb"]
        granted = self.assign(request, timeout=60)
        if granted.status != OK:
            raise RuntimeError(granted.error_message)
        begun, broken = time.monotonic(), True
        try:
            with urllib.request.urlopen(urllib.request.Request(platform.instances[granted.assigment.instance_id].address + "/", data=body), timeout=30) as answer:
                broken = False
                return answer.read()
        finally:
            # Always, or the instance stays busy; one that failed its caller is to be destroyed.
            done = M["IdleRequest"](assigment=granted.assigment)
            done.result.status_code = 500 if broken else 200
            done.result.duration_in_ms = int((time.monotonic() - begun) * 1000)
            done.result.need_destroy = broken
            self.idle(done, timeout=10)


def main():
    parser = argparse.ArgumentParser(description="a platform of one machine")
    parser.add_argument("--listen", default="127.0.0.1:50051", help="where the scaler finds the platform")
    parser.add_argument("--scaler", default="127.0.0.1:9001", help="where the scaler is")
    parser.add_argument("--http", type=int, default=8001, help="where callers find /invoke/FUNCTION")
    arguments = parser.parse_args()
    platform, scaler = Platform(), Scaler(arguments.scaler)
    server = serve(platform, arguments.listen)

    class Callers(BaseHTTPRequestHandler):
        def do_POST(self):
            key = self.path.strip("/").removeprefix("invoke/")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answer = (200, scaler.invoke(platform, key, body)) if key in FUNCTIONS else (404, b"there is no such function\n")
            except Exception as error:  # whatever it is, the caller gets a sentence
                status, answer = 502, f"{error}\n".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    callers = ThreadingHTTPServer(("127.0.0.1", arguments.http), Callers)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=callers.shutdown).start())
    print(f"platform: gRPC on {arguments.listen}, callers on http://127.0.0.1:{arguments.http}/invoke/FUNCTION", flush=True)
    try:
        callers.serve_forever()
    except KeyboardInterrupt:
        pass
    server.stop(1).wait()
    platform.stop()


if __name__ == "__main__":
    main()
