#!/usr/bin/env python3
"""Reads what bench/overload.sh has measured, prints a table and draws the picture.

    bench/overload.py FOLDER PICTURE.svg
"""
import glob
import os
import sys

WIDTH, HEIGHT, LEFT, TOP, GAP = 880, 150, 60, 40, 46


def read(path):
    rows = [line.split("\t") for line in open(path)]
    return [dict(phase=r[0], due=int(r[1]), served=int(r[2]), refused=int(r[3]), late=int(r[4]), failed=int(r[5]),
                 p50=float(r[6]), p99=float(r[7]), mb=int(r[8])) for r in rows]


def recovery(rows):
    """Seconds after the overload until a second is as it was before: 99 % served, and p99 not above 250 ms or twice what it was."""
    before = max([r["p99"] for r in rows if r["phase"] == "before"][-5:])
    after = [r for r in rows if r["phase"] == "after"]
    for second, r in enumerate(after):
        if r["served"] >= 0.99 * r["due"] and r["p99"] <= max(250, 2 * before):
            return str(second + 1)
    return f"more than {len(after)}"


def mean(rows, key):
    return sum(r[key] for r in rows) / max(1, len(rows))


def main(folder, picture):
    runs = {float(os.path.basename(p)[:-4]): read(p) for p in glob.glob(os.path.join(folder, "*.tsv"))}
    print("| load | due/s | served within 1 s, /s | refused/s | late or failed/s | p99 of served, ms | memory, MB | recovery, s |")
    print("|---|---|---|---|---|---|---|---|")
    for times, rows in sorted(runs.items()):
        during = [r for r in rows if r["phase"] == "during"]
        print(f"| {times:g} times | {mean(during, 'due'):,.0f} | {mean(during, 'served'):,.0f} | {mean(during, 'refused'):,.0f} | "
              f"{mean(during, 'late') + mean(during, 'failed'):,.0f} | {mean(during, 'p99'):,.0f} | {max(r['mb'] for r in rows)} | {recovery(rows)} |")

    parts = []
    for index, (times, rows) in enumerate(sorted(runs.items())):
        top = TOP + index * (HEIGHT + GAP)
        most = max(max(r["served"] for r in rows), max(r["due"] for r in rows if r["phase"] != "during")) * 1.15
        step = (WIDTH - LEFT - 20) / len(rows)
        during = [i for i, r in enumerate(rows) if r["phase"] == "during"]
        parts.append(f'<rect x="{LEFT + during[0] * step:.1f}" y="{top}" width="{len(during) * step:.1f}" height="{HEIGHT}" fill="#f3e3d3"/>')
        parts.append(f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{times:g} times the load</text>')
        for value in (0, most / 2, most):
            y = top + HEIGHT - value / most * HEIGHT
            parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}" stroke="#ddd"/>'
                         f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>')
        for key, colour in (("served", "#1b6ca8"), ("due", "#999")):
            points = " ".join(f"{LEFT + (i + 0.5) * step:.1f},{top + HEIGHT - min(r[key], most) / most * HEIGHT:.1f}" for i, r in enumerate(rows))
            dash = ' stroke-dasharray="4 3"' if key == "due" else ""
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
    height = TOP + len(runs) * (HEIGHT + GAP) + 10
    legend = (f'<text x="{LEFT}" y="16"><tspan fill="#1b6ca8">served within 1 s</tspan>, <tspan fill="#777">due (dashed, cut at the top)</tspan>, '
              'requests a second; a point is a second; shaded: the overload</text>')
    with open(picture, "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" role="img" '
                  f'aria-label="Requests served each second before, during and after an overload">\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
                  + legend + "\n" + "\n".join(parts) + "\n</svg>\n")


main(*sys.argv[1:])
