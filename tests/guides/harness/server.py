# SPDX-License-Identifier: MIT
"""An HTTP server on loopback, which knows how many requests it had at once."""

from __future__ import annotations

import http.server
import threading
from typing import Any

PATIENCE = 20.0
IMPATIENCE = 0.3


class Server:
    """`/hello` answers at once; `/pair` and `/alone` wait until a second request is
    there: `/pair` with patience, `/alone` a moment.
    """

    def __init__(self) -> None:
        self.meeting = threading.Barrier(2)
        self.met: list[bool] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_: Any) -> None:
                """Requests are not news."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def answer(self, path: str) -> None:
        if path == "/hello":
            return
        try:
            self.meeting.wait(PATIENCE if path == "/pair" else IMPATIENCE)
        except threading.BrokenBarrierError:
            self.meeting.reset()
            self.met.append(False)
        else:
            self.met.append(True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def __enter__(self) -> Server:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
