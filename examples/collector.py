# SPDX-License-Identifier: MIT
"""A collector to try tracing with: prints each span that it is sent, as a line.

    python3 examples/collector.py [PORT]

The real ones are Jaeger, Grafana Tempo and the OpenTelemetry Collector; they listen at
the same port. It reads OTLP over HTTP by hand, so that it needs nothing but Python.
"""

import http.server
import struct
import sys


def fields_of(message):
    """The fields of a message of protobuf: their numbers, each with its values."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            size = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
            value = message[at : at + size]
            at += size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def print_spans(body):
    """Prints the spans of an ExportTraceServiceRequest."""
    for resource in fields_of(body).get(1, []):
        for scope in fields_of(resource).get(2, []):
            for span in map(fields_of, fields_of(scope).get(2, [])):
                start, end = (struct.unpack("<Q", span[n][0])[0] for n in (7, 8))
                parent = span.get(4, [b""])[0].hex() or "-"
                print(
                    f"trace={span[1][0].hex()} span={span[2][0].hex()} parent={parent}",
                    f"ms={(end - start) / 1e6:.3f} name={span[5][0].decode()}",
                    flush=True,
                )


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self):
        """Prints what it knows, and takes all."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            print_spans(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing of requests."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 4318
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
