# SPDX-License-Identifier: MIT
"""What ``grpc_server.py`` and ``grpc_server_threaded.py`` do: run ``snakepit serve``
with one adapter, for hosts that start a Python server for each worker. This process
keeps its name in its command line, tells the host the port, and ends with the daemon.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO

GRACE_MS = 3000  # for calls that run, after SIGTERM
END_S = 5.0  # after SIGTERM; a host waits for 6 s
READY_S = 300.0
PR_SET_PDEATHSIG = 1


def parse(arguments: Sequence[str], mode: str) -> argparse.Namespace:
    """The flags. Unknown ones are refused, as a misspelt one must not be lost."""
    parser = argparse.ArgumentParser(
        description="Serves one adapter over gRPC, by snakepit serve.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument(
        "--adapter",
        default="",
        metavar="MODULE.CLASS",
        help="what is served; default: the showcase",
    )
    parser.add_argument(
        "--elixir-address",
        "--host-address",
        default="",
        metavar="HOST:PORT",
        help="of the host; taken, and not called",
    )
    parser.add_argument("--mode", choices=("process", "threaded"), default=mode)
    parser.add_argument(
        "--max-workers", type=int, metavar="N", help="calls at once, with threads"
    )
    parser.add_argument("--thread-safety-check", action="store_true")
    parser.add_argument(
        "--snakepit-run-id", default="", help="only to be seen in the command line"
    )
    return parser.parse_args(arguments)


def configuration(flags: argparse.Namespace) -> dict[str, object]:
    """What the daemon reads."""
    threaded = flags.mode == "threaded"
    pool: dict[str, object] = {
        "name": "default",
        "python": sys.executable,
        "pool_size": 1,
        "worker_profile": "thread" if threaded else "process",
        "thread_safety_checks": flags.thread_safety_check,
    }
    if flags.adapter:
        pool["adapter"] = flags.adapter
    if threaded:
        pool["on_unsupported"] = "allow"
        if flags.max_workers is not None:
            pool["threads_per_worker"] = flags.max_workers
    serve = {
        "listen": [f"127.0.0.1:{flags.port}"],
        "compatibility": ["bridge"],
        "shutdown_grace_ms": GRACE_MS,
    }
    return {"pools": [pool], "serve": serve}


def environment() -> dict[str, str]:
    """For the daemon: what hosts say of themselves is no configuration. Adapters may
    lie where this process was started.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SNAKEPIT_") or name == "SNAKEPIT_LOG"
    }
    paths = [os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def end_with_parent() -> None:
    """Runs in the child, before it becomes the daemon."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command: str, config: pathlib.Path) -> subprocess.Popen[str]:
    """The daemon. What it logs comes through a pipe."""
    return subprocess.Popen(
        [command, "serve", str(config)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=end_with_parent,
    )


class Daemon:
    """The daemon, and why it ends."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        """Of one that was started."""
        self.popen = popen
        self.asked = False  # to end, by whoever started this process
        self.failed = False

    def end(self) -> None:
        """In time at any rate."""
        self.popen.send_signal(signal.SIGTERM)
        end = threading.Timer(END_S, self.popen.kill)
        end.daemon = True
        end.start()

    def fail(self, why: str) -> None:
        """Ends it because it is of no use, unless it ends already."""
        if self.popen.poll() is None and not self.asked:
            self.failed = True
            print(f"grpc_server: {why}", file=sys.stderr, flush=True)
            self.end()

    def exit_code(self) -> int:
        """Waits for its end. What shells tell of a signal is told of one here."""
        code = self.popen.wait()
        if self.asked:
            return max(code, 0)
        if code < 0:
            print(
                f"grpc_server: snakepit serve was ended by signal {-code}",
                file=sys.stderr,
            )
            return 128 - code
        return 1 if self.failed else code


def state(port: int) -> str:
    """Of the pool, such as "ready" or "failed"; "" where the daemon does not say."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/pools/default")
        return str(json.load(connection.getresponse())["state"])
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def tell(port: int) -> None:
    """The host reads one of these."""
    print(f"GRPC_READY:{port}", flush=True)
    target = os.environ.get("SNAKEPIT_READY_FILE")
    if target:
        written = f"{target}.{os.getpid()}"
        pathlib.Path(written).write_text(f"{port}\n")
        os.replace(written, target)


def tell_when_ready(daemon: Daemon, port: int) -> None:
    """Waits for the pool, not longer than the daemon lives. A host that starts one of
    these waits for it, so one that cannot serve ends.
    """
    until = time.monotonic() + READY_S
    now = ""
    while daemon.popen.poll() is None and now != "failed" and time.monotonic() < until:
        now = state(port)
        if now == "ready":
            tell(port)
            return
        time.sleep(0.02)
    daemon.fail("the pool cannot serve; the log above says why")


def follow(daemon: Daemon, log: IO[str]) -> None:
    """Passes on what the daemon says, until it says nothing more."""
    for line in log:
        if line.startswith("serving http://"):
            port = int(line.rstrip().rpartition(":")[2])
            threading.Thread(
                target=tell_when_ready, args=(daemon, port), daemon=True
            ).start()
        with contextlib.suppress(OSError):
            sys.stderr.write(line)
            sys.stderr.flush()


def pass_signals_on(daemon: Daemon) -> None:
    """SIGTERM and SIGINT end the daemon."""

    def on_signal(number: int, frame: object) -> None:
        daemon.asked = True
        daemon.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def main(mode: str, arguments: Sequence[str] | None = None) -> int:
    """The exit code: the daemon's, 0 after SIGTERM, 1 if the pool cannot serve."""
    flags = parse(sys.argv[1:] if arguments is None else arguments, mode)
    command = os.environ.get("SNAKEPIT_COMMAND") or shutil.which("snakepit")
    if command is None:
        print(
            "grpc_server: the command snakepit is not on PATH; install it, or name it "
            "by SNAKEPIT_COMMAND",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="snakepit-") as folder:
        config = pathlib.Path(folder) / "server.yaml"
        config.write_text(json.dumps(configuration(flags)))
        daemon = Daemon(start(command, config))
        pass_signals_on(daemon)
        assert daemon.popen.stderr is not None
        follow(daemon, daemon.popen.stderr)
        return daemon.exit_code()
