#!/usr/bin/env python3
"""Writes the pages of docs/reference that are made from the code, so that they say what the build does.

    eng/reference.py            writes them
    eng/reference.py --check    ends with 1 where one is not what it would be

command-line.md is what every `--help` prints, and what each wrong command line of tests/ScalerHost.Tests/CommandLineErrorTests.cs is answered with by
the newest build that is there. http.md is made from openapi.json, grpc.md from the .proto files, settings.md from the records that are read.
"""
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
MADE = "<!-- Made by eng/reference.py from the code. Do not edit: change the code, and run it again. -->\n"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


# Lists that have pages of their own, or that an error repeats.
LONG_LISTS = [
    (r": direct, an instance for every request, .*? \[default", ": see [policies](policies.md) [default"),
    (r"(Choose one of: direct, ttl\[:S\]), capped.*$", r"\1, …"),
    (r"(choose one of score, resourceScore), .*?;", r"\1, …;"),
]


def cell(text):
    text = re.sub(r"\s+", " ", text).strip()
    for long, short in LONG_LISTS:
        text = re.sub(long, short, text)
    return text.replace("|", "\\|").replace("<", "&lt;")


def run(folder, *arguments):
    artifacts = os.environ.get("FUNCSCALER_ARTIFACTS") or os.path.join(ROOT, "artifacts")
    built = sorted(glob.glob(os.path.join(artifacts, "bin/ScalerHost/*/funcscaler.dll")), key=os.path.getmtime)
    if not built:
        sys.exit("Nothing is built: dotnet build src/ScalerHost.")
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_NOLOGO": "1"}
    done = subprocess.run(["dotnet", "exec", built[-1], *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr.replace(os.path.realpath(folder), "…").replace(folder, "…")


# --- The command line -------------------------------------------------------------------------------------------------------------------


def help_of(folder, command):
    """The parts of a command's help by their headings."""
    _, text, _ = run(folder, *command, "--help")
    return dict(re.findall(r"^(Description|Options|Commands|Examples):\n(.*?)(?=^\w[\w ]*:$|\Z)", text, flags=re.M | re.S))


def wrong_lines():
    """The wrong command lines that the tests try, as lists of arguments."""
    # Those of the two tests that need no files and no ports.
    source = read("tests/ScalerHost.Tests/CommandLineErrorTests.cs").split("public async Task A_wrong_value_is_told_with_its_option_and_with_what_is_wanted")[0]
    lines = []
    for data in re.findall(r"^    \[InlineData\((.*)\)\]$", source, flags=re.M):
        values = [json.loads(value) if value.startswith('"') else int(value) for value in re.findall(r'"(?:[^"\\]|\\.)*"|-?\d+', data)]
        if isinstance(values[0], int):
            lines.append(values[2:])
        elif len(values) == 4 and values[1].startswith("--") and not values[2].startswith("--"):
            command, option, value, _ = values
            named = [] if command in ("serve", "health", "platform", "soak") or option in ("--preset", "--data", "--azure2019", "--azure2021") else ["--preset", "smoke"]
            if command == "generate" and option != "--out":
                named += ["--out", "/tmp/never-made"]
            lines.append([command, *named, option, value])
    return lines


def typed(arguments):
    return " ".join(a if re.fullmatch(r"[\w./:,=@-]+", a) else "'" + a.replace("'", "'\\''") + "'" for a in arguments)


def command_line():
    with tempfile.TemporaryDirectory() as folder:
        commands = re.findall(r"^  (\w+) ", help_of(folder, [])["Commands"], flags=re.M)
        page = [MADE, "# The command line\n", "What `funcscaler COMMAND --help` prints, and what wrong command lines are answered with. The exit code is 0 for done, 1 for what could not be",
                "done or was stopped, and 2 for a wrong call.\n"]
        for command in commands:
            parts = help_of(folder, [command])
            page += [f"## {command}", parts["Description"].strip() + ".\n", "| option | what it is |", "|---|---|"]
            for option, what in re.findall(r"^  (-\S.*?)(?:  +(.*))?$", parts["Options"], flags=re.M):
                if "--help" not in option:
                    # What a machine has is not what another has.
                    what = re.sub(r"(Processors to use) .default: .*.", r"\1 [default: all]", what)
                    page.append(f"| `{option.replace('|', '·')}` | {cell(what)} |")
            examples = re.findall(r"^  (funcscaler.*)\n +(.*)$", parts.get("Examples", ""), flags=re.M)
            page += ["", "| example | what it does |", "|---|---|", *[f"| `{line.replace('|', '·')}` | {cell(what)} |" for line, what in examples], ""] if examples else [""]
        page += ["## Wrong command lines", "Each was tried by `eng/reference.py`, and is tried by the tests. There is one sentence, on standard error, and no stack trace.\n",
                 "| `funcscaler …` | exit code | what it says |", "|---|---|---|"]
        lines = wrong_lines()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for line, (code, _, said) in zip(lines, pool.map(lambda line: run(folder, *line), lines)):
                said = [s for s in said.splitlines() if s.startswith("error: ")]
                page.append(f"| `{typed(line).replace('|', '·')}` | {code} | {cell(said[0].removeprefix('error: ')) if said else ''} |")
    return "\n".join(page) + "\n"


# --- HTTP and gRPC ----------------------------------------------------------------------------------------------------------------------


def http():
    document = json.loads(read("src/ScalerRuntime/Dashboard/Page/openapi.json"))
    page = [MADE, "# HTTP endpoints\n", "What `serve` answers on its JSON port, as `GET /openapi.json` describes it. [The JSON API](json-api.md) explains calls, deadlines and refusals.\n",
            "| call | what it does | parameters | answers |", "|---|---|---|---|"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "delete"):
                continue
            parameters = "; ".join(f"`{p['name']}` ({p['in']}): {p.get('description', '')}" for p in operation.get("parameters", []))
            answers = "; ".join(f"{code}: {answer.get('description', '')}" for code, answer in operation.get("responses", {}).items())
            page.append(f"| `{method.upper()} {path}` | {cell(operation.get('summary', ''))} | {cell(parameters)} | {cell(answers)} |")
    return "\n".join(page) + "\n"


def fields_of(body, indent):
    fields = re.findall(r"^" + " " * indent + r"(?:(optional|repeated) )?([\w.]+) (\w+) = (\d+);", body, flags=re.M)
    return ["| field | number | type |", "|---|---|---|", *[f"| `{n}` | {i} | {(r + ' ') if r else ''}{t} |" for r, t, n, i in fields]] if fields else ["It has no fields."]


def grpc():
    page = [MADE, "# gRPC services\n", "Three contracts. The scaler serves `Scaler`, and calls `Platform` where its backend is a platform. The others are of the 2020 contest. Beside",
            "them the scaler serves `grpc.health.v1.Health` and reflection.\n"]
    for path in sorted(glob.glob(os.path.join(ROOT, "src/Shared/Contract/*.proto")), key=lambda p: (os.path.basename(p) != "scaler.proto", p)):
        text = read(os.path.relpath(path, ROOT))
        page += [f"## {os.path.basename(path)}", "Package `" + re.search(r"package ([\w.]+);", text)[1] + "`.\n"]
        for comment, kind, name, body in re.findall(r"((?:^// [^\n]*\n)*)^(service|message|enum) (\w+) \{\n((?:(?!^\}).)*?)^\}", text, flags=re.M | re.S):
            page.append(f"### {kind} {name}")
            if comment:
                page.append(" ".join(line[3:] for line in comment.splitlines()) + "\n")
            if kind == "service":
                page += ["| call | request | answer |", "|---|---|---|"]
                page += [f"| `{c}` | `{q}` | `{a}` |" for c, q, a in re.findall(r"rpc (\w+)\((.*?)\) returns \((.*?)\)", body)]
            elif kind == "message":
                page += fields_of(body, 2)
                for nested, inner in re.findall(r"^  message (\w+) \{\n(.*?)^  \}", body, flags=re.M | re.S):
                    page += [f"\n### message {name}.{nested}", *fields_of(inner, 4)]
            else:
                page += ["| value | number |", "|---|---|", *[f"| `{n}` | {i} |" for n, i in re.findall(r"(\w+) = (\d+);", body)]]
            page.append("")
    return "\n".join(page)


# --- Settings ---------------------------------------------------------------------------------------------------------------------------

SETTINGS = [
    ("functions.json: `serve --backend process --functions FILE`", "src/SlotBackends/Process/ProcessOptions.cs", ["ProcessOptions", "ProcessCommand", "FunctionCallSettings"]),
    ("How an instance is started", "src/SlotBackends/Http/InstanceStart.cs", None),
    ("`serve --backend aci --aci FILE`", "src/SlotBackends/Aci/AciOptions.cs", None),
    ("`serve --limits FILE`", "src/ScalerRuntime/Limits/LimitsSettings.cs", None),
    ("The gateway sample, as `--name value` or in the environment", "samples/gateway/GatewaySettings.cs", None),
]


def plain(xml):
    xml = re.sub(r'<(?:see|paramref) (?:cref|name|langword)="([^"]*)"\s*/>', lambda m: f"`{m[1].split('(')[0].split('.')[-1]}`", xml)
    return cell(re.sub(r"</?(?:c|value|para|b|i)>", "", xml).replace("&lt;", "<").replace("&amp;", "&"))


def settings():
    page = [MADE, "# Settings in files\n", "JSON with comments and trailing commas. A name that is not known is an error, with its place. A time is a number of seconds, or text such as",
            "`\"00:00:30\"`. [Backends](backends.md), [limits](../how-to/limits.md) and [security](../explanation/security.md) explain them, with examples.\n"]
    for title, path, wanted in SETTINGS:
        source = read(path)
        page.append(f"## {title}")
        for summary, name, body in re.findall(r"((?:^/// [^\n]*\n)+)^(?:public|internal) sealed (?:record|class) (\w+)[^;{]*?\n\{\n(.*?)^\}", source, flags=re.M | re.S):
            if wanted and name not in wanted:
                continue
            page += [f"### {name}", plain(re.sub(r"^/// ?", "", summary, flags=re.M).split("</summary>")[0].replace("<summary>", "")) + "\n", "| name | type | otherwise | what it is |", "|---|---|---|---|"]
            members = re.findall(r"((?:^    /// .*\n)+)(?:^    \[.*\n)*^    public (?:required )?([\w<>?,. \[\]]+?) (\w+) \{ get; (?:init|set); \}(?: = (.*?);)?$", body, flags=re.M)
            for comment, kind, member, otherwise in members:
                text = plain(re.sub(r"^    /// ?", "", comment, flags=re.M).split("</summary>")[0].replace("<summary>", ""))
                page.append(f"| `{member[0].lower()}{member[1:]}` | `{cell(kind).replace('&lt;', '<')}` | {('`' + cell(otherwise).replace('&lt;', '<') + '`') if otherwise else ''} | {text} |")
            page.append("")
    return "\n".join(page)


def main():
    check, stale = "--check" in sys.argv[1:], []
    for name, make in (("command-line", command_line), ("http", http), ("grpc", grpc), ("settings", settings)):
        path, text = f"docs/reference/{name}.md", make().rstrip("\n") + "\n"
        before = read(path) if os.path.exists(os.path.join(ROOT, path)) else None
        if text == before:
            continue
        if check:
            import difflib
            stale.append(path)
            print("\n".join(list(difflib.unified_diff((before or "").splitlines(), text.splitlines(), path, "what the code says", lineterm="", n=0))[:20]))
        else:
            with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
                file.write(text)
            print(f"{path} is written")
    if stale:
        print(f"reference: {', '.join(stale)} {'is' if len(stale) == 1 else 'are'} not what the code says: run eng/reference.py")
    elif check:
        print("reference: the pages are what the code says")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
