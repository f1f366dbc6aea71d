# SPDX-License-Identifier: MIT
"""Servers of others that bench/doors.py measures beside the daemon. `doors_peers.py
grpcio PORT` is a server of eight threads; the others find their applications here.

No postponed annotations: FastAPI reads them where they stand.
"""

import sys
import threading
from concurrent import futures


async def hello(scope, receive, send):
    """The least that ASGI can say."""
    if scope["type"] != "http":
        return
    fields = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": b"hi"})


def api():
    """Two numbers and their sum, as JSON."""
    import fastapi
    import pydantic

    class Numbers(pydantic.BaseModel):
        a: int
        b: int

    app = fastapi.FastAPI()

    @app.post("/add")
    async def add(numbers: Numbers) -> int:
        return numbers.a + numbers.b

    return app


def grpcio(port: int) -> None:
    """Gives back what it is given, without a message's being read."""
    import grpc

    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([Echo()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    grpcio(int(sys.argv[2]))
