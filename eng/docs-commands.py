#!/usr/bin/env python3
"""Runs the commands of README.md, docs/ and the other pages, so that they go on working.

    eng/docs-commands.py              runs them, prints a line for each block, ends with 1 where a block fails
    eng/docs-commands.py --list       prints the blocks and what would become of each
    eng/docs-commands.py PAGE...      only those pages

A block is a fenced or an indented code block whose first line begins with a command (COMMANDS). It runs as one bash script in a temporary
copy of the files that git tracks. Programs it starts in the background are stopped when its last line has ended. A block is not run where the
line before it is a comment `<!-- not run: the reason -->`, or where ELSEWHERE says who runs it.

`dotnet run -c Release --project P -- …` starts the newest build that is there (artifacts/, or FUNCSCALER_ARTIFACTS) instead of building the
copy. SHORTER makes long commands shorter. `curl` is given a minute for a server that is just starting.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
COMMANDS = r"(dotnet|curl|docker|az|azd|func|git|npm|funcscaler|export|until|cp|\./|eng/|bench/|samples/|\.ci/|(/usr/bin/)?python3|[A-Za-z_]+=)"
TIMEOUT_SECONDS = 180

# A command that something else runs already.
ELSEWHERE = [
    (r"dotnet (build|test) FuncScaler\.sln", ".ci/run runs it"),
    (r"dotnet format FuncScaler\.sln", ".ci/run runs it"),
    (r"\.ci/run$", "it is what runs this"),
    (r"eng/(docs-words|docs-commands|reference)\.py", ".ci/run runs it"),
]

# What a block needs that a machine may not have: a pattern, a command that ends with 0 where it is there, and why the block is not run otherwise.
NEEDS = [
    (r"samples/platform-python", ["/usr/bin/python3", "-c", "import grpc, google.protobuf"], "python3-grpcio and python3-protobuf are not here"),
]

# Less of the same: what is tried is that the command works, not its figures.
SHORTER = [
    (r"(-- contest)(\s*(#.*)?)$", r"\1 --length 2 --tail 1\2"),
    (r"(-- contest --preset \S+ --length) \d+", r"\1 2 --tail 1"),
    (r"(-- (?:simulate|generate) --preset \S+)(?!\S)(?!.*--length)", r"\1 --length 60"),
    (r"--length 1200 --function", "--length 300 --function"),
    (r"(samples/measure\.sh) \d+", r"\1 2"),
]

DOTNET = """#!/usr/bin/env bash
# Stands before dotnet on the path: runs and builds of projects use what is built already.
project= ; arguments=()
if [ "$1" = run ]; then
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in --project) project=$2; shift ;; esac
    shift
  done
  [ "$1" = -- ] && shift
  name=$(basename "$(compgen -G "$project/*.csproj")" .csproj)
  built=$(ls -t "$FUNCSCALER_ARTIFACTS/bin/$name"/{release,debug}/*.runtimeconfig.json 2>/dev/null | head -1)
  [ -n "$built" ] || { echo "$project is not built" >&2; exit 1; }
  exec "$REAL_DOTNET" exec "${built%.runtimeconfig.json}.dll" "$@"
fi
[ "$1" = build ] && exit 0
exec "$REAL_DOTNET" "$@"
"""
FUNCSCALER = """#!/usr/bin/env bash
exec dotnet run --project src/ScalerHost -- "$@"
"""
CURL = """#!/usr/bin/env bash
exec "$REAL_CURL" --fail-with-body --retry 60 --retry-delay 1 --retry-connrefused --max-time 60 --no-progress-meter "$@"
"""


def code_blocks(text):
    """(line, code, comment before it) of each code block."""
    lines = text.split("\n")
    index, comment = 0, None
    while index < len(lines):
        line = lines[index]
        start = index + 1
        if line.startswith("```"):
            end = next(i for i in range(start, len(lines)) if lines[i].startswith("```"))
            yield start + 1, lines[start:end], comment
            index, comment = end + 1, None
            continue
        before = lines[index - 1] if index else ""
        if line.startswith("    ") and line.strip() and (not before.strip() or before.startswith(("#", "<!--"))):
            code = []
            while index < len(lines) and (lines[index].startswith("    ") or not lines[index].strip()):
                code.append(lines[index][4:])
                index += 1
            while not code[-1].strip():
                code.pop()
            yield start, code, comment
            comment = None
            continue
        if line.startswith("<!--"):
            comment = line
        elif line.strip():
            comment = None
        index += 1


def pages(names):
    if names:
        return names
    out = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted(out, key=lambda p: (p != "README.md", p))


def fate(code, comment):
    """What becomes of a block: (script, None) to run it, (None, reason) otherwise."""
    marker = re.match(r"<!-- not run: (.*) -->", comment or "")
    if marker:
        return None, marker[1]
    script, reasons = [], []
    for line in code:
        reason = next((why for pattern, why in ELSEWHERE if re.match(pattern, line)), None)
        if reason:
            reasons.append(reason)
            continue
        for pattern, there, why in NEEDS:
            if re.search(pattern, line) and subprocess.run(there, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
                return None, why
        for pattern, instead in SHORTER:
            line = re.sub(pattern, instead, line)
        script.append(line)
    if not any(line.strip() and not line.startswith("#") for line in script):
        return None, reasons[0]
    return "\n".join(script), None


def run(script, copy, bin_folder, environment):
    """Runs a block in a process group of its own; returns its status and what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=copy, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            status = "no end"
        for sign, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 1)):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                process.poll()
                try:
                    os.killpg(process.pid, 0)
                except ProcessLookupError:
                    break
                time.sleep(0.1)
        output.seek(0)
        return status, output.read()


def main():
    arguments = sys.argv[1:]
    only_list = arguments[:1] == ["--list"]
    names = arguments[1:] if only_list else arguments
    artifacts = os.environ.get("FUNCSCALER_ARTIFACTS") or os.path.join(ROOT, "artifacts")
    if not only_list and not os.path.isdir(os.path.join(artifacts, "bin/ScalerHost")):
        print("Nothing is built: dotnet build FuncScaler.sln, or name the artifacts of a build by FUNCSCALER_ARTIFACTS.")
        return 1
    seen, failed, ran, skipped = {}, [], 0, 0
    with tempfile.TemporaryDirectory() as work:
        copy, bin_folder = os.path.join(work, "copy"), os.path.join(work, "bin")
        os.makedirs(bin_folder)
        for name, text in (("dotnet", DOTNET), ("funcscaler", FUNCSCALER), ("curl", CURL)):
            with open(os.path.join(bin_folder, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(os.path.join(bin_folder, name), 0o755)
        if not only_list:
            for path in subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
                source, target = os.path.join(ROOT, path), os.path.join(copy, path)
                if path and os.path.isfile(source):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    shutil.copy2(source, target)
            os.symlink(artifacts, os.path.join(copy, "artifacts"))
        environment = dict(os.environ, REAL_DOTNET=shutil.which("dotnet") or "", REAL_CURL=shutil.which("curl") or "",
                           FUNCSCALER_ARTIFACTS=artifacts, DOTNET_NOLOGO="1", DOTNET_CLI_TELEMETRY_OPTOUT="1", TERM="dumb",
                           PATH=bin_folder + os.pathsep + os.environ["PATH"])
        for page in pages(names):
            with open(os.path.join(ROOT, page), encoding="utf-8") as file:
                text = file.read()
            for line, code, comment in code_blocks(text):
                first = next((c for c in code if c.strip() and not c.startswith("#")), "")
                if not re.match(COMMANDS, first):
                    continue
                where, what = f"{page}:{line}", first if len(first) <= 70 else first[:67] + "..."
                script, reason = fate(code, comment)
                key = re.sub(r"\s+#.*$", "", script or "", flags=re.M).strip()
                if script is not None and key in seen:
                    script, reason = None, f"the same as {seen[key]}"
                if script is None:
                    skipped += 1
                    print(f"not run  {where:38} {what}\n         because: {reason}", flush=True)
                    continue
                seen[key] = where
                if only_list:
                    print(f"run      {where:38} {what}")
                    continue
                begun = time.monotonic()
                status, output = run(script, copy, bin_folder, environment)
                ran += 1
                print(f"{'ran' if status == 0 else 'FAILED':8} {where:38} {what}  ({time.monotonic() - begun:.0f} s)", flush=True)
                if status != 0:
                    failed.append(where)
                    print(f"         status {status}; the end of what it printed:")
                    print("\n".join("         " + l for l in output.rstrip().split("\n")[-25:]), flush=True)
    if not only_list:
        print(f"docs: {ran - len(failed)} blocks ran, {len(failed)} failed, {skipped} not run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
