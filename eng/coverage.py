#!/usr/bin/env python3
"""Prints a line per project: the share of its lines that the tests ran.

    eng/coverage.py FOLDER            FOLDER holds the coverage.cobertura.xml files that `dotnet test --collect` has left

A project is run by several test projects; a line counts as run if any of them ran it.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

lines = {}
for report in pathlib.Path(sys.argv[1]).rglob("coverage.cobertura.xml"):
    for package in xml.parse(report).getroot().iter("package"):
        of_project = lines.setdefault(package.get("name"), {})
        for part in package.iter("class"):
            for line in part.iter("line"):
                key = (part.get("filename").replace("\\", "/").rsplit("/src/", 1)[-1], line.get("number"))
                of_project[key] = of_project.get(key, False) or line.get("hits") != "0"
if not lines:
    sys.exit(f"no coverage.cobertura.xml under {sys.argv[1]}")
for project, run in sorted(lines.items()):
    print(f"coverage {project:32} {sum(run.values()):6} of {len(run):6} lines, {100 * sum(run.values()) / max(1, len(run)):5.1f} %")
