# SPDX-License-Identifier: MIT
"""Between MCP's conformance suite and a daemon: tools are called "pool.tool" there, and
the suite has names of its own. Nothing else of a message is touched.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

HOP = {"connection", "content-length", "host", "transfer-encoding", "keep-alive"}


def _renamed(body: bytes, prefix: str) -> bytes:
    try:
        message = json.loads(body)
        message["params"]["name"] = prefix + message["params"]["name"]
    except (KeyError, TypeError, ValueError):
        return body
    return json.dumps(message).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        prefix = self.server.prefix
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = {k: v for k, v in self.headers.items() if k.lower() not in HOP}
        if (name := self.headers.get("Mcp-Name")) and not name.startswith("=?"):
            fields["Mcp-Name"] = prefix + name
        daemon = http.client.HTTPConnection(self.server.daemon, timeout=60)
        with contextlib.closing(daemon):
            daemon.request(self.command, self.path, _renamed(body, prefix), fields)
            answer = daemon.getresponse()
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                if key.lower() not in HOP:
                    self.send_header(key, value)
            self.end_headers()
            short = prefix.encode()
            with contextlib.suppress(OSError):
                while piece := answer.readline():
                    self.wfile.write(piece.replace(b'"name":"' + short, b'"name":"'))
                    self.wfile.flush()


@contextlib.contextmanager
def renaming(daemon: str, prefix: str) -> Iterator[str]:
    """The address of such a server before the daemon at HOST:PORT."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon, server.prefix = daemon, prefix
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
