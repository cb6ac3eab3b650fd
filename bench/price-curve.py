#!/usr/bin/env python3
"""Reads what `simulate --json` has measured of `adaptive` at several prices and of other policies, prints a table and draws the picture.

    bench/price-curve.py RESULT.json PICTURE.svg

Prices are GB·s per second of waiting. The mean wait is that for instances, without the wire. Both axes are logarithmic.
"""
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 880, 470, 80, 130, 40, 60


def ticks(low, high):
    """1, 2 and 5 times each power of ten within the range."""
    every = [m * 10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)]
    return [t for t in every if low <= t <= high]


def main(result, picture):
    with open(result, encoding="utf-8") as file:
        document = json.load(file)
    points = []
    for row in document["results"]:
        if not row["isBound"] and row["policy"] != "adaptive":
            price = row["policy"].split("price=")[1] if row["policy"].startswith("adaptive:price=") else None
            points.append((row["policy"], price and float(price), row["wastedGbSeconds"] / 3600, 1000 * row["waitSeconds"] / document["requests"], row))
    points.sort(key=lambda p: (p[1] is None, p[1] or 0, p[0]))

    print("| policy | mean wait, ms | requests that wait | wasted memory, GB·h |")
    print("|---|---:|---:|---:|")
    for name, _, wasted, wait, row in points:
        print(f"| `{name}` | {wait:,.0f} | {100 * row['waitedShare']:.1f} % | {wasted:,.1f} |")

    low_x, high_x = 0.7 * min(p[2] for p in points), 1.3 * max(p[2] for p in points)
    low_y, high_y = 0.7 * min(p[3] for p in points), 1.3 * max(p[3] for p in points)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(value):
        return LEFT + math.log(value / low_x) / math.log(high_x / low_x) * (right - LEFT)

    def y(value):
        return bottom - math.log(value / low_y) / math.log(high_y / low_y) * (bottom - TOP)

    parts = [f'<text x="{LEFT}" y="20"><tspan fill="#1b6ca8">adaptive, each point with its price</tspan>, <tspan fill="#b3541e">other policies</tspan>; '
             'left and down is better</text>']
    for t in ticks(low_x, high_x):
        parts.append(f'<line x1="{x(t):.1f}" y1="{TOP}" x2="{x(t):.1f}" y2="{bottom}" stroke="#ddd"/>'
                     f'<text x="{x(t):.1f}" y="{bottom + 18}" text-anchor="middle">{t:,g}</text>')
    for t in ticks(low_y, high_y):
        parts.append(f'<line x1="{LEFT}" y1="{y(t):.1f}" x2="{right}" y2="{y(t):.1f}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 6}" y="{y(t) + 4:.1f}" text-anchor="end">{t:,g}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{bottom + 42}" text-anchor="middle">wasted memory, GB·h</text>')
    parts.append(f'<text transform="translate(22 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">mean wait of a request, ms</text>')
    curve = " ".join(f"{x(p[2]):.1f},{y(p[3]):.1f}" for p in points if p[1] is not None)
    parts.append(f'<polyline points="{curve}" fill="none" stroke="#1b6ca8" stroke-width="2"/>')
    dots = [(x(p[2]) - 4, x(p[2]) + 4, y(p[3]) + 4) for p in points if p[1] is None]
    placed = []
    for name, price, wasted, wait, _ in points:
        colour = "#b3541e" if price is None else "#1b6ca8"
        label, dx, dy, anchor = (name, 9, 4, "start") if price is None else (f"{price:g}", -7, 13, "end")
        # A label that would cover another policy's point or label goes above it.
        from_x, to_x = x(wasted) + dx, x(wasted) + dx + 6 * len(label)
        while price is None and any(from_x < end and start < to_x and abs(y(wait) + dy - label_y) < 13 for start, end, label_y in placed + dots):
            dy -= 3
        placed += [(from_x, to_x, y(wait) + dy)] if price is None else []
        parts.append(f'<circle cx="{x(wasted):.1f}" cy="{y(wait):.1f}" r="4" fill="{colour}"/>'
                     f'<text x="{x(wasted) + dx:.1f}" y="{y(wait) + dy:.1f}" text-anchor="{anchor}" fill="{colour}">{label}</text>')
    with open(picture, "w", encoding="utf-8") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" role="img" '
                  f'aria-label="Mean wait against wasted memory, of adaptive at ten prices and of other policies">\n'
                  f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


main(*sys.argv[1:])
