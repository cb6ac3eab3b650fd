#!/usr/bin/env python3
"""The callers of bench/soak.sh: abuses a scaler in every way that strangers and broken functions do, and reads what its process holds."""
import argparse
import collections
import concurrent.futures
import csv
import http.client
import itertools
import json
import os
import random
import socket
import statistics
import struct
import sys
import threading
import time

ROUND_S = 5
SAMPLE_S = 10
FLAT = 1.10  # the last quarter may be so much above the one before it
parser = argparse.ArgumentParser()
for name in ("pid", "grpc", "http", "minutes", "seed"):
    parser.add_argument("--" + name, type=int, required=True)
parser.add_argument("--samples", required=True)
args = parser.parse_args()

numbers = itertools.count()
outcomes = collections.Counter()
stop = threading.Event()


def post(path, body, timeout=15, kind="application/json"):
    """The status and the answer; 0 where there was none."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", args.http, timeout=timeout)
    try:
        connection.request("POST", path, data, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else {}
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()


def ask(key, runtime="", memory=32, seconds=5, wait_ms=8000):
    return {
        "requestId": f"r-{next(numbers)}",
        "metaData": {"key": key, "runtime": runtime, "timeoutInSecs": seconds, "memoryInMb": memory},
        "timeoutMs": wait_ms,
    }


def serve_one(name, key, hold=0.01, release=True, destroy=False, **settings):
    """One request from assign to release."""
    status, answer = post("/api/assign", ask(key, **settings))
    outcomes[f"{name} {status}"] += 1
    if status == 200:
        time.sleep(hold)
        if release:
            status, _ = post("/api/release", {"assigment": answer["assigment"], "result": {"durationInMs": 10, "needDestroy": destroy}})
            outcomes[f"{name} release {status}"] += 1
    return status, answer


def burst(pool):
    list(pool.map(lambda _: serve_one("burst", "hot", runtime="py", hold=0.05), range(12)))


def go_away(pool):
    """Callers that leave: at once, in the middle of a body, and while they wait for a slow start."""
    del pool
    body = json.dumps(ask("slow", wait_ms=20000)).encode()
    head = f"POST /api/assign HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for part, pause in ((b"", 0), (head[:20], 0), (head, 0), (head + body[:10], 0), (head + body, 0), (head + body, 0.2)):
        with socket.create_connection(("127.0.0.1", args.http), 5) as caller:
            caller.sendall(part)
            time.sleep(pause)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def wrong_releases(pool):
    del pool
    status, answer = post("/api/assign", ask("hot", "py"))
    right = answer.get("assigment", {})
    for wrong in ({**right, "instanceId": "another"}, {**right, "requestId": "unknown"}, {**right, "metaKey": "x"}, {}):
        post("/api/release", {"assigment": wrong})
    for body, kind in ((b"{", "application/json"), (b"\xff\xfe", "application/json"), (b"x" * 100_000, "application/json"), (b"{}", "text/plain"), (b"[]", "application/json")):
        post("/api/assign", body, kind=kind)
        post("/api/release", body, kind=kind)
    for _ in range(2):
        post("/api/release", {"assigment": right, "result": {"durationInMs": 1}})
    outcomes[f"wrong {status}"] += 1


def fail_at_start(pool):
    list(pool.map(lambda key: serve_one(key, key, wait_ms=1500), ("exits", "missing", "exits", "endless")))


def print_endlessly(pool):
    del pool
    serve_one("prints", "prints", wait_ms=2500)


def die(pool):
    list(pool.map(lambda k: serve_one(k, k, hold=1.8), ("dies", "daemon")))
    serve_one("daemon", "daemon", destroy=True)
    serve_one("kept", "hot", runtime="py", release=False)


def alternate(pool):
    list(pool.map(lambda i: serve_one("alternating", "settings", runtime="py", memory=(32, 48)[i % 2], hold=0.02), range(8)))


def unknown_keys(pool):
    list(pool.map(lambda _: post("/api/assign", ask(f"unknown-{next(numbers)}", "none")), range(100)))


def new_functions(pool):
    """Functions that are used once and never again."""
    list(pool.map(lambda _: serve_one("once", f"once-{next(numbers)}", runtime="py"), range(4)))


def look(pool):
    del pool
    for path in ("/api/stats", "/api/slots", "/api/explain/nobody", "/api/explain/a%2Fb", "/nowhere", "/healthz"):
        connection = http.client.HTTPConnection("127.0.0.1", args.http, timeout=10)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            outcomes["look failed"] += 1
        finally:
            connection.close()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def headers_of_assign():
    """Literal fields, without indexing and without Huffman's code."""
    fields = ((":method", "POST"), (":scheme", "http"), (":path", "/serverless.simulator.Scaler/Assign"), (":authority", "soak"), ("content-type", "application/grpc"), ("te", "trailers"))
    return b"".join(b"\0" + bytes((len(n),)) + n.encode() + bytes((len(v),)) + v.encode() for n, v in fields)


HEADERS = headers_of_assign()
FLOODS = {
    "reset": lambda i: frame(1, 4, 2 * i + 1, HEADERS) + frame(3, 0, 2 * i + 1, struct.pack(">I", 8)),
    "ping": lambda i: frame(6, 0, 0, struct.pack(">Q", i)),
    "settings": lambda i: frame(4, 0, 0, struct.pack(">HI", 4, 65535)),
    "open": lambda i: frame(1, 4, 2 * i + 1, HEADERS),
}


def flood(kind):
    try:
        with socket.create_connection(("127.0.0.1", args.grpc), 5) as caller:
            caller.settimeout(2)
            caller.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
            for begin in range(0, 3000, 100):
                caller.sendall(b"".join(FLOODS[kind](i) for i in range(begin, begin + 100)))
    except OSError:
        outcomes[f"{kind} flood cut"] += 1
    else:
        outcomes[f"{kind} flood taken"] += 1


def floods(pool):
    list(pool.map(flood, FLOODS))


def canary():
    """A caller that does everything right; it counts how often that does not help."""
    waits = []
    while not stop.wait(0.5):
        began = time.monotonic()
        serve_one("well-behaved", "canary", runtime="py", wait_ms=10000)
        waits.append(time.monotonic() - began)
    waits.sort()
    if waits:
        print(f"well-behaved caller: {len(waits)} requests, p50 {statistics.median(waits) * 1000:.0f} ms, p99 {waits[int(len(waits) * 0.99)] * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms")


def sample(began):
    with open(f"/proc/{args.pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    found = {
        "s": round(time.monotonic() - began),
        "memory, MB": round(int(status["VmRSS"].split()[0]) / 1024, 1),
        "descriptors": len(os.listdir(f"/proc/{args.pid}/fd")),
        "threads": int(status["Threads"]),
        "processes": sum(1 for _ in below(args.pid)),
    }
    connection = http.client.HTTPConnection("127.0.0.1", args.http, timeout=10)
    connection.request("GET", "/api/stats?limit=1")
    stats = json.loads(connection.getresponse().read())
    connection.close()
    found["functions"] = stats["functionCount"]
    return found


def below(pid):
    """The processes that come from one, as far as their parents tell."""
    parents = collections.defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parents[int(file.read().rsplit(")", 1)[1].split()[1])].append(int(entry))
            except OSError:
                pass
    waiting = [pid]
    while waiting:
        for child in parents[waiting.pop()]:
            yield child
            waiting.append(child)


def watch(samples, began):
    with open(args.samples, "w", newline="", encoding="ascii") as file:
        writer = None
        while True:
            try:
                found = sample(began)
            except (OSError, http.client.HTTPException, ValueError) as e:
                outcomes[f"sample failed: {type(e).__name__}"] += 1
            else:
                samples.append(found)
                writer = writer or csv.DictWriter(file, found)
                if len(samples) == 1:
                    writer.writeheader()
                writer.writerow(found)
                file.flush()
            if stop.wait(SAMPLE_S):
                return


def report(samples):
    """Prints the table; true where nothing has grown."""
    quarter = len(samples) // 4
    if quarter == 0:
        print("too few samples for a table: give more minutes")
        return True
    flat = True
    # Of functions that were served so many are remembered on purpose; all else has to be flat.
    remembered = "functions"
    print(f"{'':<12} {'first':>8} {'half':>8} {'last':>8} {'most':>8} {'quarter 3':>10} {'quarter 4':>10} {'ratio':>6}")
    for name in [n for n in samples[0] if n != "s"]:
        values = [s[name] for s in samples]
        third, fourth = (statistics.median(values[-2 * quarter:-quarter]), statistics.median(values[-quarter:]))
        ratio = fourth / third if third > 0 else 1
        grew = name != remembered and ratio > FLAT and fourth - third > 10
        flat &= not grew
        print(f"{name:<12} {values[0]:>8} {values[len(values) // 2]:>8} {values[-1]:>8} {max(values):>8} {third:>10g} {fourth:>10g} {ratio:>6.2f}{'  grew' if grew else ''}")
    return flat


def main():
    order = random.Random(args.seed)
    began = time.monotonic()
    ends = began + 60 * args.minutes
    samples = []
    steps = [burst, go_away, wrong_releases, fail_at_start, print_endlessly, die, alternate, unknown_keys, new_functions, look, floods]
    helpers = [threading.Thread(target=canary), threading.Thread(target=watch, args=(samples, began))]
    for helper in helpers:
        helper.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            while time.monotonic() < ends:
                round_began = time.monotonic()
                for step in order.sample(steps, len(steps)):
                    step(pool)
                time.sleep(max(0, ROUND_S - (time.monotonic() - round_began)))
    finally:
        stop.set()
        for helper in helpers:
            helper.join()
    print(", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())))
    flat = report(samples)
    print("the second half is flat" if flat else "the second half is not flat")
    return 0 if flat else 1


sys.exit(main())
