"""Draws a Grafana dashboard without Grafana: every panel where it stands, with what a Prometheus answers to its queries.

    dashboard.py DASHBOARD.json PROMETHEUS_URL SECONDS > page.html

Titles, units, legends, thresholds, stacking and variables are the file's own; colours and lines are not Grafana's. A panel without data says so. Prints to
standard error a line for each panel: its title, how many series it has, and the largest value as it is written there."""
import html
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

path, prometheus, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
dashboard = json.load(open(path))
end = time.time()
COLOURS = ["#3274d9", "#e0b400", "#37872d", "#c4162a", "#8f3bb8", "#fa6400", "#1f78c1", "#6d1f62", "#584477", "#b7dbab", "#f29191", "#82b5d8"]
COLUMN, ROW = 60, 34
variables = {one["name"]: one for one in dashboard["templating"]["list"]}


def ask(kind, **query):
    url = f"{prometheus}/api/v1/{kind}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["data"]


def filled(expression):
    """With every variable as it stands when the dashboard is opened; one that is not there is an error."""

    def value(found):
        name = found.group(1) or found.group(2)
        if name == "__rate_interval":
            return "15s"
        return variables[name]["allValue"]

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, expression).replace("[1h]", f"[{seconds}s]")


def legend(text, labels):
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found.group(1), ""), text).strip()


def written(value, unit):
    if value is None or math.isnan(value):
        return "–"
    if unit == "s":
        return next((f"{value * factor:.3g} {name}" for factor, name in ((1, "s"), (1e3, "ms")) if abs(value * factor) >= 1), f"{value * 1e6:.3g} µs")
    if unit in ("bytes", "Bps"):
        steps, base, behind = (("B", "KiB", "MiB", "GiB"), 1024, "") if unit == "bytes" else (("B", "kB", "MB", "GB"), 1000, "/s")
        power = min(int(math.log(max(abs(value), 1), base)), 3)
        return f"{value / base ** power:.3g} {steps[power]}{behind}"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    return f"{value:.3g}" + {"reqps": " req/s", "ops": " ops/s", "cps": " c/s", "short": "", "none": ""}[unit]


def series(panel):
    found = []
    for target in panel["targets"]:
        expression = filled(target["expr"])
        if target.get("instant"):
            answer = ask("query", query=expression, time=end)["result"]
            found += [(legend(target["legendFormat"], one["metric"]), [(float(one["value"][0]), float(one["value"][1]))]) for one in answer]
        else:
            answer = ask("query_range", query=expression, start=end - seconds, end=end, step=max(seconds // 180, 1))["result"]
            found += [(legend(target["legendFormat"], one["metric"]), [(float(at), float(value)) for at, value in one["values"]]) for one in answer]
    return found


def stat(panel, found, unit):
    shown = []
    for name, points in found:
        value = points[-1][1]
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        colour = next((step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"]), "#333")
        # What Grafana's `auto` does: a single value has no name.
        mode = panel["options"]["textMode"]
        named = mode == "value_and_name" or mode == "auto" and len(found) > 1
        text = html.escape(name) if mode == "name" else written(value, unit)
        shown.append(f'<div class="stat" style="color:{colour}">{f"<small>{html.escape(name)}</small> " if named else ""}{text}</div>')
    return "".join(shown)


def graph(panel, found, unit, width, height):
    stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    sums, lines = {}, []
    for name, points in found:
        line = []
        for at, value in points:
            value = 0 if math.isnan(value) else value
            sums[at] = sums.get(at, 0) + value if stacked else value
            line.append((at, sums[at]))
        lines.append(line)
    top = panel["fieldConfig"]["defaults"].get("max") or max((value for line in lines for _, value in line), default=0) or 1
    left, plot = 70, max(height - 24 * min(len(found), 4) - 30, 60)
    x = lambda at: left + (at - end + seconds) / seconds * (width - left - 10)
    y = lambda value: plot - value / top * (plot - 10)
    drawn = [f'<line x1="{left}" x2="{width - 10}" y1="{y(top * part)}" y2="{y(top * part)}" stroke="#ddd"/>'
             f'<text x="{left - 6}" y="{y(top * part) + 4}" text-anchor="end">{html.escape(written(top * part, unit))}</text>' for part in (0, 0.5, 1)]
    for at, line in enumerate(lines):
        drawn.append(f'<polyline fill="none" stroke="{COLOURS[at % len(COLOURS)]}" stroke-width="1.5" points="{" ".join(f"{x(a):.1f},{y(v):.1f}" for a, v in line)}"/>')
    rows = "".join(
        f'<tr><td><i style="background:{COLOURS[at % len(COLOURS)]}"></i>{html.escape(name) or "<b>no name</b>"}</td>'
        f"<td>{written(points[-1][1], unit)}</td><td>{written(max((v for _, v in points if not math.isnan(v)), default=None), unit)}</td></tr>"
        for at, (name, points) in enumerate(found))
    return f'<svg width="{width}" height="{plot + 12}">{"".join(drawn)}</svg><table><tr><th></th><th>last</th><th>max</th></tr>{rows}</table>'


boxes, bottom = [], 0
for panel in dashboard["panels"]:
    at = panel["gridPos"]
    width, height = at["w"] * COLUMN - 8, at["h"] * ROW - 8
    bottom = max(bottom, (at["y"] + at["h"]) * ROW)
    style = f'left:{at["x"] * COLUMN}px;top:{at["y"] * ROW}px;width:{width}px;height:{height}px'
    if panel["type"] == "row":
        boxes.append(f'<h2 style="{style}">{html.escape(panel["title"])}</h2>')
        continue
    unit = panel["fieldConfig"]["defaults"]["unit"]
    found = series(panel)
    largest = max((v for _, points in found for _, v in points if not math.isnan(v)), default=None)
    print(f'{panel["title"]}\t{len(found)}\t{written(largest, unit)}\t{", ".join(name for name, _ in found)}', file=sys.stderr)
    inside = f"<p>No data</p><p>{html.escape(panel.get('description', ''))}</p>" if not found else stat(panel, found, unit) if panel["type"] == "stat" else graph(panel, found, unit, width - 16, height - 30)
    boxes.append(f'<section style="{style}"><h3>{html.escape(panel["title"])}</h3>{inside}</section>')
print(f"""<!doctype html><meta charset="utf-8"><title>{html.escape(dashboard["title"])}</title><style>
body{{position:relative;width:{24 * COLUMN}px;height:{bottom}px;margin:8px;font:12px sans-serif;background:#f4f5f5}}
section,h2{{position:absolute;box-sizing:border-box;overflow:hidden}}section{{background:#fff;border:1px solid #ccc;padding:4px 8px}}
h2{{margin:6px 0;font-size:15px}}h3{{margin:2px 0 4px;font-size:13px}}.stat{{font-size:34px;text-align:center;margin-top:50px}}
table{{width:100%;border-collapse:collapse}}td,th{{text-align:right;padding:0 6px}}td:first-child{{text-align:left}}
i{{display:inline-block;width:12px;height:4px;margin-right:6px}}text{{font-size:10px;fill:#555}}p{{text-align:center;color:#888;margin-top:60px}}</style>
{"".join(boxes)}""")
