#!/usr/bin/env python3
"""Writes NOTICE.md: the packages that the two programs are shipped with, and their licences, as the packages themselves state them.

    eng/notice.py                writes it; the projects must have been restored
    eng/notice.py --check        fails where a package that is shipped is not in it

Versions are not in it: feeds differ in what they carry, and Directory.Packages.props has those that are chosen.
"""
import json
import os
import re
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PROGRAMS = ("ScalerHost", "ScalerFunctions")
# For building alone: nothing of them is shipped.
BUILD_ONLY = re.compile(r"^(Microsoft\.CodeAnalysis\.|Grpc\.Tools$|Microsoft\.NETCore\.Platforms$|NETStandard\.Library$|Microsoft\.NETCore\.Targets$)")
# Shipped where the feed has it (docs/how-to/building.md): in the page in any case.
OPTIONAL = {"Azure.ResourceManager.ContainerInstance": ("MIT", "https://github.com/Azure/azure-sdk-for-net")}


def licence(folder):
    nuspec = next((f for f in os.listdir(folder) if f.endswith(".nuspec")), None)
    if nuspec is None:
        return "", ""
    metadata = next(e for e in ET.parse(os.path.join(folder, nuspec)).getroot() if e.tag.endswith("metadata"))
    texts = {e.tag.split("}")[-1]: e for e in metadata}
    named, url, project = texts.get("license"), texts.get("licenseUrl"), texts.get("projectUrl")
    text = named.text if named is not None and named.get("type") == "expression" else None
    text = text or (f"in the package: {named.text}" if named is not None else None) or (url.text if url is not None else "not stated")
    return text, (project.text if project is not None and project.text else "")


def shipped():
    found = dict(OPTIONAL)
    for program in PROGRAMS:
        path = os.path.join(ROOT, "artifacts", "obj", program, "project.assets.json")
        if not os.path.exists(path):
            sys.exit(f"notice: {path} is not there: restore src/{program} first")
        with open(path) as file:
            assets = json.load(file)
        roots = list(assets["packageFolders"])
        target = next(iter(assets["targets"].values()))
        for key, library in assets["libraries"].items():
            name = key.split("/")[0]
            has_code = any(not f.endswith("_._") for kind in ("runtime", "runtimeTargets", "native") for f in target.get(key, {}).get(kind, {}))
            if library["type"] != "package" or BUILD_ONLY.match(name) or not has_code:
                continue
            folder = next((os.path.join(r, library["path"]) for r in roots if os.path.isdir(os.path.join(r, library["path"]))), None)
            found[name] = licence(folder) if folder else ("", "")
    return found


def main(arguments):
    path = os.path.join(ROOT, "NOTICE.md")
    packages = shipped()
    if arguments == ["--check"]:
        text = open(path).read() if os.path.exists(path) else ""
        missing = [p for p in sorted(packages) if f"| {p} |" not in text]
        if missing:
            sys.exit(f"notice: NOTICE.md lacks {', '.join(missing)}: run eng/notice.py")
        print(f"notice: all {len(packages)} packages that are shipped are in NOTICE.md")
        return
    with open(path, "w") as file:
        file.write("# Notice\n\nFuncScaler is under the [MIT licence](LICENSE). Its two programs are shipped with these packages, which are under licences of their own. "
                   "`eng/notice.py` writes this page from what the packages state.\n\n| package | licence | source |\n|---|---|---|\n")
        for name in sorted(packages, key=str.lower):
            text, source = packages[name]
            file.write(f"| {name} | {text} | {source} |\n")
    print(f"notice: {len(packages)} packages")


main(sys.argv[1:])
