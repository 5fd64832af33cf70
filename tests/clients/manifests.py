"""Splits manifests (YAML, on standard input) into those that Kubernetes has schemas for and the others: two files, one resource a line of JSON
in the second. Prints the kinds of all of them."""

import json
import sys

import yaml

OTHERS = ("gateway.networking.k8s.io/", "monitoring.coreos.com/")
kinds = []
with open(sys.argv[1], "w") as own, open(sys.argv[2], "w") as others:
    for resource in yaml.safe_load_all(sys.stdin):
        if not resource:
            continue
        kinds.append(resource["kind"])
        if resource["apiVersion"].startswith(OTHERS):
            others.write(json.dumps(resource) + "\n")
        else:
            own.write("---\n" + yaml.safe_dump(resource))
print(" ".join(sorted(kinds)))
