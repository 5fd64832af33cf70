"""Lints the chart with helm's own libraries, and renders it with values that are read from standard input: JSON in, manifests out."""

import json
import sys

import helm_python

chart = sys.argv[1]
values = json.load(sys.stdin)
linted = helm_python.lint(chart, values, strict=True)
if linted["errors"] or linted["messages"]:
    sys.exit(json.dumps(linted))
with helm_python.Chart.load(chart) as loaded:
    loaded.validate_schema(values)
    for path, manifest in sorted(loaded.render(values, name="ath-gateway", namespace="ath-gateway").items()):
        if path.endswith(".yaml") and manifest.strip():
            print(f"---\n# {path}\n{manifest.strip()}")
