# SPDX-License-Identifier: MIT
"""connectrpc's conformance suite judges gRPC, by the services of tests/peers/server."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

from conftest import BUILD, HERE, peer

# Patterns of cases that fail, each with its reason.
KNOWN: dict[str, str] = {}
LEAST = 500  # cases: a suite that finds none does not pass


def test_the_conformance_suite_is_content(tmp_path: pathlib.Path):
    known = [f"--known-failing={pattern}" for pattern in KNOWN]
    done = subprocess.run(
        [
            peer("connectconformance"),
            "--mode=server",
            f"--conf={HERE / 'conformance.yaml'}",
            "--parallel=4",
            "--max-servers=1",
            *known,
            "--",
            str(BUILD / "bin/grpc_peer"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-8000:]
    cases = re.search(r"Total cases: (\d+)", said)
    assert cases and int(cases[1]) >= LEAST, said[-2000:]
    # The servers, which keep certificates there, have come to their end.
    assert not list(tmp_path.iterdir())
