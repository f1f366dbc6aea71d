# SPDX-License-Identifier: MIT
"""The daemon's doors, measured beside what others have.

Daemon and worker, or the other server, have one core, and the load has another one; all
sides of a case are measured in turn, and ratios are taken within a round. Its rows go
to the end of the file of results. What neither tools/peers nor the distribution has
installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / "build/peers/bench/bin"
MLSERVER = ROOT / "build/peers/mlserver/bin/mlserver"
PYTRITON = ROOT / "build/peers/pytriton/bin/python"
SERVER_CORE, LOAD_CORE = "0", "1"
MIB = 1 << 20
NUMBERS = b'{"a":2,"b":3}'
CALL = "/v1/pools/doors/tools/"
GRPC = "/snakepit.v1.Snakepit/"
MODEL = "doors.twice"
INFER = f"/v2/models/{MODEL}/infer"
GRPC_INFER = "/inference.GRPCInferenceService/ModelInfer"

# case, of which figure, how, must, aim; the last case of a name without a peer: itself.
REQUIREMENTS = [
    ("http1_json_c16", "nginx", ">=", 0.3, 0.5),
    ("http1_json_c16", "granian", ">=", 1.3, 2.2),
    ("http1_json_c16", "fastapi", ">=", 8, 12),
    ("grpc_unary_128", "nghttpd", ">=", 0.3, 0.4),
    ("grpc_unary_128", "grpcio", ">=", 20, 30),
    ("grpc_one_stream_p50", "nghttpd", "<=", 1.5, 1.3),
    ("sse_chunks", "product", ">=", 200_000, 500_000),
    ("grpc_stream_chunks", "product", ">=", 200_000, 500_000),
    ("grpc_tensor_64mib", "limit", "<=", 1.5, 1.5),
    ("idle_connection", "product", "<=", 20, 8),
    ("infer_http_1mib", "mlserver", ">=", 5, 10),
    ("infer_grpc_1mib", "mlserver", ">=", 5, 10),
]


class Missing(Exception):
    """A peer that is not there."""


def find(name: str) -> str:
    """The path of a command. Missing: there is none."""
    path = PEERS / name
    found = str(path) if path.exists() else shutil.which(name, path=SEARCH)
    if found is None:
        raise Missing(name)
    return found


SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- Servers ------------------------------------------------------------------------


@contextlib.contextmanager
def running(*words: str, port: int, **options) -> Iterator[subprocess.Popen]:
    """A server on its core, once it can be connected to."""
    server = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **options,
    )
    try:
        wait_for(lambda: can_connect(port), server)
        yield server
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for(look: Callable[[], bool], server: subprocess.Popen) -> None:
    """Waits for a server that starts."""
    until = time.monotonic() + 60
    while not look():
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{server.args} does not serve")
        time.sleep(0.02)


def can_connect(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def is_ready(port: int, path: str = "/readyz") -> bool:
    """Whether the daemon has its workers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return client.recv(64).startswith(b"HTTP/1.1 200")


class Sides:
    """How each server is started. All serve at `port`."""

    def __init__(self, snakepit: str, python: str, folder: pathlib.Path) -> None:
        """`folder` is for what they want to read."""
        self.snakepit = snakepit
        self.python = python
        self.folder = folder

    @contextlib.contextmanager
    def product(self) -> Iterator[tuple[int, subprocess.Popen]]:
        """The daemon and its one worker."""
        port = free_port()
        config = self.folder / "doors.yaml"
        pool = {
            "name": "doors",
            "pool_size": 1,
            "adapter": "doors_adapter.Doors",
            "python": self.python,
            "shared_memory_size": "1GiB",
        }
        serve = {"listen": [f"127.0.0.1:{port}"], "loops": 1, "max_connections": 12_000}
        config.write_text(json.dumps({"pools": [pool], "serve": serve}))
        env = {**os.environ, "PYTHONPATH": str(HERE), "SNAKEPIT_LOG": "error"}
        with running(self.snakepit, "serve", str(config), port=port, env=env) as server:
            wait_for(lambda: is_ready(port), server)
            yield port, server

    @contextlib.contextmanager
    def nginx(self) -> Iterator[int]:
        """Says 5 to everybody."""
        port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/nginx.pid;\n"
            "error_log /dev/null; events { worker_connections 1024; }\n"
            "http { access_log off; keepalive_requests 100000000;\n"
            f"server {{ listen 127.0.0.1:{port};\n"
            "location / { default_type application/json; return 200 5; } } }\n"
        )
        with running(find("nginx"), "-c", str(config), port=port):
            yield port

    @contextlib.contextmanager
    def granian(self) -> Iterator[int]:
        """ASGI's hello."""
        port = free_port()
        words = ("--interface", "asgi", "--workers", "1", "--no-ws", "--http", "1")
        where = ("--host", "127.0.0.1", "--port", str(port), "doors_peers:hello")
        with running(find("granian"), *words, *where, port=port, cwd=HERE):
            yield port

    @contextlib.contextmanager
    def fastapi(self) -> Iterator[int]:
        """The sum of two numbers, on uvicorn."""
        port = free_port()
        words = ("--factory", "--no-access-log", "--port", str(port), "doors_peers:api")
        with running(find("uvicorn"), *words, port=port, cwd=HERE):
            yield port

    @contextlib.contextmanager
    def nghttpd(self) -> Iterator[int]:
        """A file of 23 bytes."""
        port = free_port()
        (self.folder / "small").write_bytes(b"x" * 23)
        words = ("--no-tls", "-d", str(self.folder), str(port))
        with running(find("nghttpd"), *words, port=port):
            yield port

    @contextlib.contextmanager
    def grpcio(self) -> Iterator[int]:
        """With eight threads."""
        port = free_port()
        find("granian")  # of the same environment
        words = (str(HERE / "doors_peers.py"), "grpcio", str(port))
        with running(str(PEERS / "python"), *words, port=port):
            yield port

    @contextlib.contextmanager
    def mlserver(self) -> Iterator[tuple[int, int]]:
        """The same model in its one process: the ports of HTTP and gRPC."""
        if not MLSERVER.exists():
            raise Missing("mlserver")
        http, grpc = free_port(), free_port()
        folder = self.folder / "mlserver"
        folder.mkdir(exist_ok=True)
        settings = {
            "http_port": http,
            "grpc_port": grpc,
            "metrics_port": free_port(),
            "host": "127.0.0.1",
            "parallel_workers": 0,
            "debug": False,
        }
        model = {"name": MODEL, "implementation": "doors_mlserver.Twice"}
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        env = {**os.environ, "PYTHONPATH": str(HERE)}
        words = (str(MLSERVER), "start", str(folder))
        with running(*words, port=http, env=env) as server:
            wait_for(lambda: can_connect(grpc), server)
            yield http, grpc

    @contextlib.contextmanager
    def pytriton(self) -> Iterator[tuple[int, int]]:
        """The same in Triton, which asks a process of Python."""
        if not PYTRITON.exists():
            raise Missing("pytriton")
        http, grpc = free_port(), free_port()
        words = (str(PYTRITON), str(HERE / "doors_pytriton.py"), str(http), str(grpc))
        with running(*words, port=http) as server:
            wait_for(lambda: is_ready(http, f"/v2/models/{MODEL}/ready"), server)
            yield http, grpc


# ---- Load ---------------------------------------------------------------------------


class Load:
    """h2load on the other core."""

    def __init__(self, folder: pathlib.Path) -> None:
        """`folder` is for bodies."""
        self.folder = folder
        self.count = 0

    def run(self, port: int, path: str, body: bytes | None, *words: str) -> str:
        """What it says of requests that are all answered with 2xx."""
        command = ["taskset", "-c", LOAD_CORE, find("h2load"), *words]
        if body is not None:
            self.count += 1
            sent = self.folder / f"body{self.count}"
            sent.write_bytes(body)
            command += ["-d", str(sent)]
        url = f"http://127.0.0.1:{port}{path}"
        said = subprocess.run(
            [*command, url], capture_output=True, text=True, check=True
        )
        if not re.search(r"[1-9]\d* succeeded, 0 failed, 0 errored", said.stdout):
            raise RuntimeError(f"{command}\n{said.stdout}")
        return said.stdout


def rate_of(said: str) -> float:
    """Requests a second."""
    return float(re.search(r"finished in .*?, ([\d.]+) req/s", said)[1])


def seconds_of(said: str) -> float:
    """How long all of it took."""
    number, unit = re.search(r"finished in ([\d.]+)(us|ms|s),", said).groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit]


JSON = ("-H", "content-type: application/json")
AS_GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")
WIDE = ("-w", "24", "-W", "24")


def field(number: int, data: bytes) -> bytes:
    """A field of bytes of a message of protobuf."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """A number of protobuf."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def framed(message: bytes) -> bytes:
    """A message of gRPC."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def call_request(tool: str, payload: bytes) -> bytes:
    """snakepit.v1.CallRequest."""
    return framed(field(2, tool.encode()) + field(3, payload))


def tensor_request() -> bytes:
    """64 MiB for a tool."""
    tensor = field(1, b"uint8") + field(2, varint(64 * MIB)) + field(3, bytes(64 * MIB))
    return call_request("take", field(4, field(1, b"x") + field(2, tensor)))


def infer_request() -> bytes:
    """inference.ModelInferRequest, with 1 MiB of float32."""
    shape = varint(MIB // 4)
    given = field(1, b"x") + field(2, b"FP32") + field(3, shape)
    return framed(field(1, MODEL.encode()) + field(5, given) + field(7, bytes(MIB)))


def infer_json() -> bytes:
    """The same over HTTP as JSON, which is all that MLServer has there."""
    given = {"name": "x", "datatype": "FP32", "shape": [MIB // 4]}
    return json.dumps({"inputs": [{**given, "data": [0.5] * (MIB // 4)}]}).encode()


def infer_body() -> tuple[bytes, tuple[str, ...]]:
    """The same with bytes behind JSON, and its header fields."""
    given = {
        "name": "x",
        "datatype": "FP32",
        "shape": [MIB // 4],
        "parameters": {"binary_data_size": MIB},
    }
    head = {"inputs": [given], "parameters": {"binary_data_output": True}}
    text = json.dumps(head).encode()
    size = f"inference-header-content-length: {len(text)}"
    fields = ("-H", size, "-H", "content-type: application/octet-stream")
    return text + bytes(MIB), fields


# ---- Cases --------------------------------------------------------------------------

Figures = dict[str, float]


class Cases:
    """Each gives a figure for each side that there is, of one round."""

    def __init__(self, sides: Sides, load: Load, quick: bool) -> None:
        """`quick`: a tenth of it."""
        self.sides = sides
        self.load = load
        self.quick = quick

    def _count(self, usual: int) -> str:
        return f"-n{usual // 10 if self.quick else usual}"

    def _beside(self, figures: Figures, name: str, measure: Callable[[int], float]):
        """Measures another side, if there is one."""
        try:
            with getattr(self.sides, name)() as port:
                figures[name] = measure(port)
        except Missing as missing:
            print(f"{missing} is not installed: see tools/peers", file=sys.stderr)

    def http1_json_c16(self) -> tuple[str, Figures]:
        """Two numbers to a tool and their sum back, on 16 connections."""
        words = ("--h1", "-c16", *JSON)

        def calls(port: int, path: str, count: int = 100_000) -> float:
            said = self.load.run(port, path, NUMBERS, self._count(count), *words)
            return rate_of(said)

        with self.sides.product() as (port, _):
            calls(port, CALL + "add", 20_000)
            figures = {"product": calls(port, CALL + "add")}
        self._beside(figures, "nginx", lambda port: calls(port, "/", 200_000))
        self._beside(figures, "granian", lambda port: calls(port, "/"))
        self._beside(figures, "fastapi", lambda port: calls(port, "/add", 20_000))
        return "calls/s", figures

    def sse_chunks(self) -> tuple[str, Figures]:
        """Of one stream of server-sent events."""
        chunks = 40_000 if self.quick else 400_000
        body = b'{"n":%d}' % chunks
        words = ("--h1", "-c1", "-n1", *JSON, "-H", "accept: text/event-stream")
        with self.sides.product() as (port, _):
            said = self.load.run(port, CALL + "count", body, *words)
        return "chunks/s", {"product": chunks / seconds_of(said)}

    def idle_connection(self) -> tuple[str, Figures]:
        """Memory of the daemon for each of them."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        count = min(1000 if self.quick else 10_000, hard // 2)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 500), hard))
        with self.sides.product() as (port, server), contextlib.ExitStack() as clients:
            greet(clients, port, 100)
            before = resident(server.pid)
            greet(clients, port, count)
            return "KiB", {"product": (resident(server.pid) - before) / 1024 / count}

    # ---- gRPC -----------------------------------------------------------------------

    def grpc_unary_128(self) -> tuple[str, Figures]:
        """The same sum on 128 streams of one connection."""
        words = ("-c1", "-m128", *WIDE)
        body = call_request("add", field(2, NUMBERS))

        def calls(port: int, path: str, count: int, sent: bytes | None = body) -> float:
            fields = () if sent is None else AS_GRPC
            count = self._count(count)
            return rate_of(self.load.run(port, path, sent, count, *words, *fields))

        with self.sides.product() as (port, _):
            check_grpc(port, GRPC + "Call", body)
            calls(port, GRPC + "Call", 20_000)
            figures = {"product": calls(port, GRPC + "Call", 200_000)}
        self._beside(
            figures, "nghttpd", lambda port: calls(port, "/small", 400_000, None)
        )
        self._beside(figures, "grpcio", lambda port: calls(port, "/x.Y/Z", 10_000))
        return "calls/s", figures

    def grpc_one_stream_p50(self) -> tuple[str, Figures]:
        """One call after the other."""
        body = call_request("add", field(2, NUMBERS))

        def p50(port: int, path: str, sent: bytes | None) -> float:
            log = self.load.folder / "log"
            log.unlink(missing_ok=True)
            fields = () if sent is None else AS_GRPC
            words = ("-c1", "-m1", self._count(20_000), f"--log-file={log}")
            self.load.run(port, path, sent, *words, *fields)
            took = [int(line.split("\t")[2]) for line in log.read_text().splitlines()]
            return statistics.median(took)

        with self.sides.product() as (port, _):
            p50(port, GRPC + "Call", body)
            figures = {"product": p50(port, GRPC + "Call", body)}
        self._beside(figures, "nghttpd", lambda port: p50(port, "/small", None))
        return "us", figures

    def grpc_stream_chunks(self) -> tuple[str, Figures]:
        """Of one stream."""
        chunks = 40_000 if self.quick else 400_000
        body = call_request("count", field(2, b'{"n":%d}' % chunks))
        words = ("-c1", "-n1", *WIDE, *AS_GRPC)
        with self.sides.product() as (port, _):
            said = self.load.run(port, GRPC + "Stream", body, *words)
        return "chunks/s", {"product": chunks / seconds_of(said)}

    def grpc_tensor_64mib(self) -> tuple[str, Figures]:
        """Into a tool, beside a socket and a copy."""
        body = tensor_request()
        count = 2 if self.quick else 10
        words = ("-c1", "-m1", f"-n{count}", *WIDE, *AS_GRPC)
        with self.sides.product() as (port, _):
            check_grpc(port, GRPC + "Call", body)
            self.load.run(port, GRPC + "Call", body, *words)
            said = self.load.run(port, GRPC + "Call", body, *words)
        limit = statistics.median(through_a_socket() for _ in range(count))
        return "ms", {"product": seconds_of(said) * 1e3 / count, "limit": limit * 1e3}

    # ---- Inference ------------------------------------------------------------------

    def infer_http_1mib(self) -> tuple[str, Figures]:
        """1 MiB of float32 to a model and as much back, on four connections."""
        body, fields = infer_body()

        def calls(port: int, count: int) -> float:
            words = ("--h1", "-c4", self._count(count), *fields)
            return rate_of(self.load.run(port, INFER, body, *words))

        def json_calls(ports: tuple[int, int]) -> float:
            words = ("--h1", "-c4", self._count(100), *JSON)
            return rate_of(self.load.run(ports[0], INFER, infer_json(), *words))

        with self.sides.product() as (port, _):
            calls(port, 1000)
            figures = {"product": calls(port, 5000)}
        self._beside(figures, "pytriton", lambda ports: calls(ports[0], 1000))
        self._beside(figures, "mlserver", json_calls)
        return "calls/s", figures

    def infer_grpc_1mib(self) -> tuple[str, Figures]:
        """The same over gRPC, on four streams."""
        body = infer_request()

        def calls(port: int, count: int) -> float:
            words = ("-c1", "-m4", self._count(count), *WIDE, *AS_GRPC)
            return rate_of(self.load.run(port, GRPC_INFER, body, *words))

        with self.sides.product() as (port, _):
            check_grpc(port, GRPC_INFER, body)
            calls(port, 1000)
            figures = {"product": calls(port, 5000)}
        self._beside(figures, "pytriton", lambda ports: calls(ports[1], 1000))
        self._beside(figures, "mlserver", lambda ports: calls(ports[1], 500))
        return "calls/s", figures


def greet(clients: contextlib.ExitStack, port: int, count: int) -> None:
    """Connections that have asked once, and say nothing more."""
    for _ in range(count):
        client = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1000)


def resident(pid: int) -> int:
    """Bytes of private memory. `pid` is the daemon's: taskset has become it."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"Private_\w+: +(\d+)", text)) * 1024


def check_grpc(port: int, path: str, body: bytes) -> None:
    """h2load sees no trailers: one call shows that there is an answer in them."""
    with tempfile.NamedTemporaryFile() as sent:
        sent.write(body)
        sent.flush()
        said = subprocess.run(
            [
                *(find("curl"), "-sS", "--http2-prior-knowledge", "-H", "expect:"),
                *("-H", "content-type: application/grpc", "-H", "te: trailers"),
                *("--data-binary", f"@{sent.name}", "-D", "-", "-o", "/dev/null"),
                f"http://127.0.0.1:{port}{path}",
            ],
            capture_output=True,
            text=True,
        )
    if "grpc-status: 0" not in said.stdout:
        raise RuntimeError(f"{path}: {said.stdout} {said.stderr}")


def through_a_socket() -> float:
    """Seconds for 64 MiB through a socket, and once more in memory."""
    data, room = bytearray(64 * MIB), memoryview(bytearray(64 * MIB))
    copy = bytearray(64 * MIB)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
    with sender, receiver:
        thread = threading.Thread(target=sender.sendall, args=[data])
        begun = time.perf_counter()
        thread.start()
        at = 0
        while at < len(room):
            at += receiver.recv_into(room[at:])
        copy[:] = room
        thread.join()
        return time.perf_counter() - begun


CASES = [
    "http1_json_c16",
    "sse_chunks",
    "idle_connection",
    "grpc_unary_128",
    "grpc_one_stream_p50",
    "grpc_stream_chunks",
    "grpc_tensor_64mib",
    "infer_http_1mib",
    "infer_grpc_1mib",
]


# ---- Rows ---------------------------------------------------------------------------


def row_of(case: str, unit: str, rounds: list[Figures]) -> dict[str, object]:
    """Medians, and of the ratios the median of those of the rounds."""
    row: dict[str, object] = {"case": case, "python": "system", "unit": unit}
    names = [name for name in rounds[0] if all(name in one for one in rounds)]
    for name in names:
        row[name] = statistics.median(one[name] for one in rounds)
        if name != "product":
            ratios = [one["product"] / one[name] for one in rounds]
            row[f"ratio_to_{name}"] = statistics.median(ratios)
    figures = [one["product"] for one in rounds]
    row["spread"] = [min(figures), max(figures)]
    return row


def tell(row: dict[str, object]) -> None:
    """Prints a row."""
    parts = [f"{row['case']:22} {row['product']:>12.5g} {row['unit']:9}"]
    for key, value in row.items():
        if key.startswith("ratio_to_"):
            parts.append(f"{value:.2f} x {key.removeprefix('ratio_to_')}")
    print("  ".join(parts), flush=True)


def judge(rows: list[dict[str, object]]) -> None:
    """Prints what must hold."""
    print("\nMust hold (ok+: the aim too)")
    for case, of, how, must, aim in REQUIREMENTS:
        for row in rows:
            value = row.get("product" if of == "product" else f"ratio_to_{of}")
            if row["case"] != case or value is None:
                continue
            holds = [
                value >= one if how == ">=" else value <= one for one in (must, aim)
            ]
            word = "missed" if not holds[0] else "ok+" if holds[1] else "ok"
            what = row["unit"] if of == "product" else f"x {of}"
            bounds = f"must be {how} {must:g}, aim {aim:g}"
            print(f"{word:6} {case:22} {value:>10.4g} {what:10} {bounds}")


def write(path: pathlib.Path, rows: list[dict[str, object]]) -> None:
    """Behind what is there."""
    there = json.loads(path.read_text()) if path.exists() else []
    cases = {row["case"] for row in rows}
    kept = [row for row in there if row["case"] not in cases]
    lines = ",\n".join("  " + json.dumps(row) for row in [*kept, *rows])
    path.write_text(f"[\n{lines}\n]\n")


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snakepit", default=str(ROOT / "build/release/bin/snakepit"))
    parser.add_argument(
        "--python",
        default=os.environ.get(
            "SNAKEPIT_PYTHON_SYSTEM", str(ROOT / "build/venv/system/bin/python")
        ),
    )
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--case", action="append", choices=CASES)
    wanted, _ = parser.parse_known_args()  # the others are of snakepit-bench
    if len(os.sched_getaffinity(0)) < 2:
        print(
            "the doors are measured with two cores, and there is one", file=sys.stderr
        )
        return
    rounds = wanted.repeat or (1 if wanted.quick else 3)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        sides = Sides(wanted.snakepit, wanted.python, place)
        cases = Cases(sides, Load(place), wanted.quick)
        for case in wanted.case or CASES:
            try:
                found = [getattr(cases, case)() for _ in range(rounds)]
            except Missing as missing:
                print(f"{case}: {missing} is not installed", file=sys.stderr)
                continue
            rows.append(row_of(case, found[0][0], [figures for _, figures in found]))
            tell(rows[-1])
    judge(rows)
    if wanted.output is not None:
        write(wanted.output, rows)


if __name__ == "__main__":
    main()
