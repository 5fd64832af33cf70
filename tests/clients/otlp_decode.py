"""Reads OTLP by OpenTelemetry's own messages: lines of `kind hex` on standard input, a JSON list on standard output."""

import gzip
import json
import sys

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def plain(body):
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def value(any_value):
    which = any_value.WhichOneof("value")
    return getattr(any_value, which) if which else None


def attributes(pairs):
    read = {pair.key: value(pair.value) for pair in pairs}
    assert len(read) == len(pairs), "a key that comes twice"
    return read


def spans(body):
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "resource": attributes(resource.resource.attributes),
                    "scope": scope.scope.name,
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "attributes": attributes(span.attributes),
                    "links": [[link.trace_id.hex(), link.span_id.hex()] for link in span.links],
                    "error": span.status.code == 2,
                    "begun": span.start_time_unix_nano,
                    "ended": span.end_time_unix_nano,
                    "flags": span.flags,
                }


def logs(body):
    request = ExportLogsServiceRequest.FromString(body)
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield {
                    "resource": attributes(resource.resource.attributes),
                    "severity": record.severity_text,
                    "number": record.severity_number,
                    "body": value(record.body),
                    "attributes": attributes(record.attributes),
                    "trace": record.trace_id.hex(),
                    "span": record.span_id.hex(),
                    "at": record.time_unix_nano,
                }


found = []
for line in sys.stdin:
    kind, text = line.split()
    found.extend({"/v1/traces": spans, "/v1/logs": logs}[kind](plain(bytes.fromhex(text))))
json.dump(found, sys.stdout)
