# SPDX-License-Identifier: MIT
"""A collector that keeps what it is sent, as bytes, and answers as a test wants."""

from __future__ import annotations

import http.server
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    fields: dict[str, str]
    body: bytes


class Collector:
    """Listens on a port of its own while it is entered."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.statuses: list[int] = []  # of the next answers; then 200
        self.answer = b""  # of those that it takes
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fields = {key.lower(): value for key, value in self.headers.items()}
                outer.posted.append(Posted(self.path, fields, body))
                status = outer.statuses.pop(0) if outer.statuses else 200
                self.send_response(status)
                answer = outer.answer if status == 200 else b""
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Collector:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def of(self, path: str) -> list[Posted]:
        """What was posted there."""
        return [posted for posted in list(self.posted) if posted.path == path]


def fields_of(message: bytes) -> dict[int, list[Any]]:
    """What a message of protobuf holds: numbers of fields to their values, which are
    bytes, or numbers of as many bytes as they have on the wire.
    """
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
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
        kind = key & 7
        if kind == 0:
            value: Any = varint()
        else:
            size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
            value = message[at : at + size]
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def spans_of(body: bytes) -> list[dict[int, list[Any]]]:
    """The spans of an ExportTraceServiceRequest."""
    (resource_spans,) = fields_of(body)[1]
    (scope_spans,) = fields_of(resource_spans)[2]
    return [fields_of(span) for span in fields_of(scope_spans)[2]]
