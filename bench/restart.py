#!/usr/bin/env python3
"""What a restart costs: the score of adaptive with and without one, by what the new scaler takes over.

    python3 bench/restart.py [--funcscaler FILE] [CASE ...]

A case is a preset, a second and options of simulate: faas@2044, "faas-long@1000 --length 2000". Without cases: the middle of each preset and
of 2,000 s of faas-long. Prints a table in Markdown. Virtual time, so the figures do not depend on the machine.
"""
import json
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASES = ["smoke@30", "smoke-long@30", "faas@2044", "faas-long@2044", "faas-long@1000 --length 2000", "sparse@275370", "sparse-long@275370", "dense@280780", "dense-long@280780"]
KEEPS = ["all", "learned", "instances", "nothing"]


def score(command, preset, options, restart):
    out = subprocess.run([command, "simulate", "--preset", preset, "--policy", "adaptive", "--json", *options, *restart], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["results"][0]["score"]


def main():
    words = sys.argv[1:]
    command = str(ROOT / "artifacts/bin/ScalerHost/release/funcscaler")
    if words[:1] == ["--funcscaler"]:
        command, words = words[1], words[2:]
    print("| trace | restart at, s | none | " + " | ".join(KEEPS) + " |")
    print("|---" * (3 + len(KEEPS)) + "|")
    for case in words or CASES:
        name, *options = shlex.split(case)
        preset, at = name.split("@")
        whole = score(command, preset, options, [])
        costs = [whole - score(command, preset, options, ["--restart-at", at, "--restart-keeps", keeps]) for keeps in KEEPS]
        print(f"| {' '.join([preset, *options])} | {at} | {whole:.2f} | " + " | ".join(f"{-c:+.2f}" for c in costs) + " |", flush=True)


main()
