# SPDX-License-Identifier: MIT
"""The probes of the library, and the scripts for bpftrace that come with it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import eventually, pool
from support.places import LIBRARY, ROOT

SCRIPTS = sorted((ROOT / "packaging/bpftrace").glob("*.bt"))
PROBES = {"call_begin", "call_placed", "call_done", "worker_state"}


def notes():
    done = subprocess.run(
        ["readelf", "-n", LIBRARY], capture_output=True, text=True, check=True
    )
    found = re.findall(r"Provider: snakepit\s+Name: (\w+)", done.stdout)
    return set(found)


@pytest.fixture(autouse=True)
def built_with_probes():
    if not list(Path("/usr/include").glob("**/sys/sdt.h")):
        pytest.skip("systemtap-sdt-dev is not installed, so there are no probes")


@pytest.fixture
def bpftrace():
    found = shutil.which("bpftrace")
    if found is None:
        pytest.skip("bpftrace is not installed")
    return found


@pytest.fixture
def allowed(bpftrace):
    """bpftrace, where the kernel lets it run."""
    done = subprocess.run(
        [bpftrace, "-e", 'BEGIN { printf("runs\\n"); exit(); }'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "runs" not in done.stdout:
        pytest.skip(f"bpftrace may not run here: {done.stderr.strip()}")
    return bpftrace


def test_the_library_tells_where_its_probes_are():
    assert notes() >= PROBES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_its_probes(bpftrace, script):
    done = subprocess.run(
        [bpftrace, "-d", script, LIBRARY], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_slow_call_is_seen_from_outside(allowed, open_pit, kind, tmp_path):
    pit = open_pit(pool(kind))
    seen = tmp_path / "seen"
    with open(seen, "w") as output:
        tracer = subprocess.Popen(
            [
                allowed,
                "-B",
                "line",
                ROOT / "packaging/bpftrace/slow.bt",
                LIBRARY,
                "-p",
                str(os.getpid()),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:

        def is_seen():
            pit.call("sleep", {"seconds": 0.15})
            return re.search(r"call \d+ of sleep: \d+ us, error 0", seen.read_text())

        eventually(is_seen, "the tracer tells a slow call")
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=60)
    assert "@calls[sleep]: " in seen.read_text()
