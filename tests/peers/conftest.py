# SPDX-License-Identifier: MIT
"""What the tests with peers share: a daemon, and where the peers are."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
E2E = ROOT / "tests/e2e"
PEERS = ROOT / "build/peers"
sys.path.insert(0, str(E2E))
os.environ["PYTHONPATH"] = os.pathsep.join([str(E2E / "adapters"), str(HERE)])

from support.daemon import Daemon  # noqa: E402
from support.missing import missing, pytest_sessionfinish  # noqa: E402, F401
from support.places import BUILD  # noqa: E402, F401
from support.served import config, end, serve  # noqa: E402


def peer(name: str) -> str:
    """The path of a peer's command. Skips the test where there is none."""
    for folder in (PEERS / "bin", PEERS / "check/bin"):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        missing(f"{name} (see tools/peers)")
    return found


def group(name: str, of: str) -> pathlib.Path:
    """The interpreter of a group that has an environment of its own. Skips the test
    where there is none.
    """
    found = PEERS / name / "bin/python"
    if not found.exists():
        missing(f"{of} (see tools/peers)")
    return found


def package(name: str) -> pathlib.Path:
    """Where a package of npm is. Skips the test where there is none."""
    found = PEERS / "npm/node_modules" / name
    if not found.exists():
        missing(f"{name} (see tools/peers)")
    return found


def say(*words: str, timeout: float = 300.0, **options) -> subprocess.CompletedProcess:
    """Runs a peer that is to succeed, and gives what it said."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=timeout, **options
    )
    assert done.returncode == 0, (
        f"{words}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    )
    return done


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that serves tests/peers/judged.py."""
    folder = tmp_path_factory.mktemp("peers")
    daemon = serve(config(folder, name="judged", adapter="judged.Judged"))
    yield daemon
    end([daemon])


@pytest.fixture(scope="module")
def url(daemon: Daemon) -> str:
    return daemon.urls()[0]
