#!/usr/bin/env python3
"""How long `serve` takes from its start until it serves, without a state and with one of many functions.

    python3 bench/restart-time.py [--functions 100000] [--slots 0] [--rounds 5]

The state is made by serve itself, with one function that is called; its record and its slots are then copied under other names.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--functions", type=int, default=100_000)
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--funcscaler", default=str(ROOT / "artifacts/bin/ScalerHost/release/funcscaler"))
    words = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="restart-"))
    platform_port, control, http = free_port(), free_port(), free_port()
    platform = subprocess.Popen(
        [words.funcscaler, "platform", "--preset", "smoke", "--port", str(platform_port), "--control-port", str(control), "--scaler", "127.0.0.1:1"], stdout=subprocess.DEVNULL)
    while socket.socket().connect_ex(("127.0.0.1", platform_port)):
        time.sleep(0.1)
    state = folder / "state.db"

    def serve(*more):
        began = time.monotonic()
        server = subprocess.Popen(
            [words.funcscaler, "serve", "--platform", f"127.0.0.1:{platform_port}", "--grpc-port", "0", "--http-port", str(http), "--max-delay", "0", *more], stdout=subprocess.PIPE, text=True)
        line = server.stdout.readline()
        assert line, "serve has ended"
        return server, time.monotonic() - began

    def post(path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{http}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    try:
        server, _ = serve("--state", str(state))
        for i in range(200):
            reply = post("/api/assign", {"requestId": f"r{i}", "metaData": {"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128}})
            post("/api/release", {"assigment": reply["assigment"], "result": {"durationInMs": 5}})
            time.sleep(0.01 * (i % 7))
        time.sleep(2)
        server.send_signal(signal.SIGKILL)
        server.wait()
        with sqlite3.connect(state) as db:
            record, written = db.execute("SELECT record, written FROM learned WHERE key = 'f'").fetchone()
            db.executemany("INSERT INTO learned VALUES (?, ?, ?)", ((f"function-{i}", record, written) for i in range(words.functions)))
            slot = db.execute("SELECT * FROM slots").fetchone()
            rows = ((i + 1000, f"function-{i}", *slot[2:7], f"slot-{i}", f"i-{i}", None, None, slot[11]) for i in range(words.slots))
            checked = ((*row, zlib.crc32("\n".join("" if cell is None else str(cell) for cell in row).encode())) for row in rows)
            db.executemany("INSERT INTO slots VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", checked)
            db.execute("UPDATE meta SET value = ? WHERE key = 'ticket'", (1000 + words.slots,))
        db.close()
        results = {}
        for _ in range(words.rounds):
            for name, more in (("without a state", []), ("with it", ["--state", str(folder / "copy.db")])):
                for end in ("", "-wal", "-shm", "-holders"):
                    if os.path.exists(f"{state}{end}"):
                        shutil.copy(f"{state}{end}", folder / f"copy.db{end}")
                    elif os.path.exists(folder / f"copy.db{end}"):
                        os.remove(folder / f"copy.db{end}")
                server, seconds = serve(*more)
                results.setdefault(name + ", s", []).append(seconds)
                stat = open(f"/proc/{server.pid}/stat").read().split()
                results.setdefault(name + ", processor s", []).append((int(stat[13]) + int(stat[14])) / os.sysconf("SC_CLK_TCK"))
                memory = int(next(l for l in open(f"/proc/{server.pid}/status") if l.startswith("VmRSS")).split()[1]) // 1024
                results.setdefault(name + ", MB", []).append(memory)
                server.send_signal(signal.SIGKILL)
                server.wait()
        print(f"{words.functions} functions of {len(record)} bytes, {words.slots} slots, file {os.path.getsize(state) >> 20} MB: "
              + "; ".join(f"{name} {sorted(v)[len(v) // 2]:.2f} (worst {max(v):.2f})" for name, v in results.items()))
    finally:
        platform.terminate()
        shutil.rmtree(folder)


main()
