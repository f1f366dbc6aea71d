# SPDX-License-Identifier: MIT
"""docs/tracing.md: what it says to type is typed, and what it shows is what comes."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest
from support.command import HYBRID, SNAKEPIT, environment
from support.configs import default_python
from support.daemon import Daemon
from support.places import ROOT
from support.served import Client, end
from support.waiting import eventually

PAGE = (ROOT / "docs/tracing.md").read_text()
COLLECTOR = "python3 examples/collector.py >spans.txt &\n"
EXPORT = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318\n"
START = "snakepit serve examples/hybrid.yaml &\n"
ADDRESS = "http://127.0.0.1:8470"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_page_is_right(tmp_path: pathlib.Path):
    default_python("thread")
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    begin, tell, call, look = re.findall(r"```sh\n(.*?)```\n", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```\n(trace=.*?)```\n", PAGE, re.DOTALL)
    assert (begin, tell) == (COLLECTOR, EXPORT + START)
    port = free_port()
    spans = tmp_path / "spans.txt"
    with spans.open("w") as file:
        collector = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/collector.py"), str(port)],
            stdout=file,
        )
    daemon = Daemon(
        HYBRID,
        "--listen",
        "127.0.0.1:0",
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{port}"},
    )
    try:
        eventually(Client(daemon).is_ready)
        script = call.replace("curl ", "curl -sS ").replace(ADDRESS, daemon.urls()[0])
        assert say(script, tmp_path) == "3"
        eventually(lambda: all_of(shown, spans.read_text()), "the spans")
        assert say(look, tmp_path).count("trace=") >= 2
    finally:
        end([daemon])
        collector.kill()
        collector.wait()


def all_of(shown: str, text: str) -> bool:
    """Whether each line that the page shows has come, where "..." is anything."""
    patterns = [
        ".*?".join(map(re.escape, line.split("..."))) for line in shown.splitlines()
    ]
    return all(re.search(f"^{one}$", text, re.MULTILINE) for one in patterns)


def say(script: str, folder: pathlib.Path) -> str:
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        env=environment(PATH=f"{SNAKEPIT.parent}:{os.environ['PATH']}"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, (script, done.stderr)
    return done.stdout
