#!/usr/bin/env python3
"""Writes the tables of docs/reference/comparison.md from the results of bench/experiments.sh field-traces field-presets price-presets.

    bench/comparison.py [FOLDER]    FOLDER: where they have their results; artifacts/experiments if not given

Tables whose results are not there stay as they are. Everything between the page's two marks is written anew; the sentences around them stay.
"""
import csv
import math
import os
import statistics
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PAGE = os.path.join(ROOT, "docs/reference/comparison.md")
RUNS = ["field-traces", "field-presets"]
PRICE_RUNS = ["price-presets"]
BEGIN, END = "<!-- {} by bench/comparison.py -->", "<!-- end -->"
COLUMNS = [
    ("score", "score", "{:,.2f}"), ("resource score", "resourceScore", "{:,.2f}"), ("latency score", "latencyScore", "{:,.2f}"),
    ("RUM s", "rum", None), ("RUM s, waits x 4", "rumWait4", None), ("RUM s, memory x 4", "rumMemory4", None),
    ("cold starts", "coldStartShare", "%"), ("waited", "waitedShare", "%"), ("schedule mean ms", "scheduleMeanMs", "{:,.1f}"),
    ("schedule p95 ms", "scheduleP95Ms", "{:,.1f}"), ("schedule p99 ms", "scheduleP99Ms", "{:,.1f}"), ("wasted GB·s", "wastedGbSeconds", "{:,.0f}"),
    ("creates", "creates", "{:,.0f}"), ("peak instances", "peakInstances", "{:,.0f}"),
]


def short(value):
    """Three figures or more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def shown(value, form):
    return "" if value is None else short(value) if form is None else f"{100 * value:.2f} %" if form == "%" else form.format(value)


def read(folder, runs):
    """For each trace in order: the number of requests, and for each policy its rows by seed."""
    traces = {}
    for run in runs:
        with open(os.path.join(folder, run, "results.csv"), encoding="utf-8") as file:
            for row in csv.DictReader(file):
                policy = f"`{row['policy']}`" + (" (bound)" if row["isBound"] == "true" else "")
                traces.setdefault(row["trace"], {}).setdefault(policy, {})[row["seed"]] = row
    return traces


def mean(rows, field):
    values = [float(row[field]) for row in rows.values() if row[field] != ""]
    return statistics.mean(values) if values else None


def error(values):
    return statistics.stdev(values) / math.sqrt(len(values))


def is_bound(policy):
    return policy.endswith("(bound)")


def sorted_policies(policies, key):
    return sorted(policies, key=lambda policy: (is_bound(policy), key(policy), policy))


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)] + ["| " + " | ".join(row) + " |" for row in rows]


def by_rum(traces):
    rum = {trace: {policy: mean(rows, "rum") for policy, rows in policies.items()} for trace, policies in traces.items()}
    best = {trace: min(value for policy, value in of.items() if not is_bound(policy)) for trace, of in rum.items()}
    times = {policy: math.exp(statistics.mean(math.log(of[policy] / best[trace]) for trace, of in rum.items())) for policy in next(iter(rum.values()))}
    first = min(value for policy, value in times.items() if not is_bound(policy))
    return table(
        ["policy", "times the best", *traces],
        [[policy, f"{times[policy] / first:.2f}", *(short(rum[trace][policy]) for trace in traces)] for policy in sorted_policies(times, times.get)])


def by_cost(traces):
    cost = {trace: {policy: mean(rows, "cost") for policy, rows in policies.items()} for trace, policies in traces.items()}
    best = {trace: min(value for policy, value in of.items() if not is_bound(policy)) for trace, of in cost.items()}
    times = {policy: math.exp(statistics.mean(math.log(of[policy] / best[trace]) for trace, of in cost.items())) for policy in next(iter(cost.values()))}
    first = min(value for policy, value in times.items() if not is_bound(policy))
    lead = ["seeds on which `adaptive` is first", "", *(firsts(policies) for policies in traces.values())]
    return table(
        ["policy", "times the best", *traces],
        [[policy, f"{times[policy] / first:.2f}", *(short(cost[trace][policy]) for trace in traces)] for policy in sorted_policies(times, times.get)] + [lead])


def firsts(policies):
    others = [rows for policy, rows in policies.items() if policy != "`adaptive`" and not is_bound(policy)]
    seeds = policies["`adaptive`"]
    return f"{sum(all(float(row['cost']) <= float(rows[seed]['cost']) for rows in others) for seed, row in seeds.items())} of {len(seeds)}"


def every_measure(traces):
    lines = []
    for trace, policies in traces.items():
        seeds = list(next(iter(policies.values())))
        requests = round(statistics.mean(float(row["requests"]) for row in next(iter(policies.values())).values()))
        lines += [f"### {trace}", "", f"{requests:,} requests" + (f", mean of {len(seeds)} seeds." if len(seeds) > 1 else "."), ""]
        order = sorted_policies(policies, lambda policy: mean(policies[policy], "rum"))
        best = policies[order[0]]
        rows = []
        for policy in order:
            row = [policy, *(shown(mean(policies[policy], field), form) for _, field, form in COLUMNS)]
            if len(seeds) > 1:
                beside = [float(policies[policy][seed]["rum"]) - float(best[seed]["rum"]) for seed in seeds]
                if not is_bound(policy):
                    row[4] += " ± " + short(error([float(policies[policy][seed]["rum"]) for seed in seeds]))
                row.append("" if policy == order[0] or is_bound(policy) else f"{'+' if statistics.mean(beside) > 0 else ''}{short(statistics.mean(beside))} ± {short(error(beside))}")
            rows.append(row)
        lines += [*table(["policy", *(title for title, _, _ in COLUMNS), *(["RUM s beside the best"] if len(seeds) > 1 else [])], rows), ""]
    return lines[:-1]


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "artifacts/experiments")
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    for runs, tables in ((RUNS, [("by RUM", by_rum), ("every measure", every_measure)]), (PRICE_RUNS, [("by cost", by_cost)])):
        missing = [run for run in runs if not os.path.exists(os.path.join(folder, run, "results.csv"))]
        if missing:
            print(f"no results of {', '.join(missing)} in {folder}: their tables stay")
            continue
        traces = read(folder, runs)
        for name, lines in tables:
            begin = BEGIN.format(name)
            before, rest = page.split(begin)
            page = before + begin + "\n" + "\n".join(lines(traces)) + "\n" + END + rest.split(END, 1)[1]
        print(f"{os.path.relpath(PAGE, ROOT)}: {len(traces)} traces, {len(next(iter(traces.values())))} policies")
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()
