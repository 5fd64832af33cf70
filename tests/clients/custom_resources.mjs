// Checks what Kubernetes itself has no schema for (the Gateway API, the Prometheus Operator) against the schemas of their makers: JSON in, one
// resource a line; the first problem ends it.
import { createInterface } from "node:readline";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import { PrometheusRule, ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const kinds = { HTTPRoute, PrometheusRule, ServiceMonitor };
let checked = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const resource = JSON.parse(line);
  new kinds[resource.kind](resource).validate();
  checked += 1;
}
console.log(`${checked} are right`);
