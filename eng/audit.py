#!/usr/bin/env python3
"""Fails where a package that is used, directly or not, has a known weakness of severity high or critical.

    eng/audit.py                 asks the feeds, for all projects; ends with 0, with 1 for a weakness, or with 3 where no feed keeps a list of them
    eng/audit.py --json FILE     reads what `dotnet list package --vulnerable --include-transitive --format json` has printed

Weaknesses of lower severity are printed, and fail nothing.
"""
import json
import subprocess
import sys
import urllib.request

FAILS = ("high", "critical")
NOTHING_AUDITED = 3


def weaknesses(listed):
    """(severity, package, version, advisory, project) of each, worst first."""
    found = set()
    for project in listed.get("projects", []):
        for framework in project.get("frameworks", []):
            for package in framework.get("topLevelPackages", []) + framework.get("transitivePackages", []):
                for weakness in package.get("vulnerabilities", []):
                    found.add((weakness["severity"].lower(), package["id"], package["resolvedVersion"], weakness.get("advisoryurl", ""), project["path"]))
    return sorted(found, key=lambda w: (w[0] not in FAILS, w))


def keeps_list(source):
    """Whether a feed has a list of weaknesses; without one, `dotnet list` finds nothing and does not say why."""
    if not source.startswith("http"):
        return False
    try:
        with urllib.request.urlopen(source, timeout=30) as answer:
            return any(r["@type"].startswith("VulnerabilityInfo") for r in json.load(answer)["resources"])
    except (OSError, ValueError, KeyError) as error:
        print(f"audit: {source} cannot be asked: {error}")
        return False


def main(arguments):
    if arguments[:1] == ["--json"] and len(arguments) == 2:
        with open(arguments[1]) as file:
            listed = json.load(file)
    elif not arguments:
        command = ["dotnet", "list", "FuncScaler.sln", "package", "--vulnerable", "--include-transitive", "--format", "json"]
        listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if not any(keeps_list(source) for source in listed.get("sources", [])):
            print("audit: no feed in use keeps a list of weaknesses: nothing was audited")
            return NOTHING_AUDITED
    else:
        print(__doc__)
        return 2

    found = weaknesses(listed)
    for severity, package, version, advisory, project in found:
        print(f"audit: {severity}: {package} {version}, {advisory} ({project})")
    failing = [w for w in found if w[0] in FAILS]
    print(f"audit: {len(failing)} weaknesses of severity high or critical, {len(found) - len(failing)} others")
    return 1 if failing else 0


sys.exit(main(sys.argv[1:]))
