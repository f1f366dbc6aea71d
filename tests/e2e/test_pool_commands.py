# SPDX-License-Identifier: MIT
"""`snakepit retry` and `snakepit resize`: what a daemon is told about a pool."""

from __future__ import annotations

import json
import pathlib

import pytest
from support.command import write_config
from support.connecting import SERVE, to
from support.daemon import Daemon
from support.waiting import eventually

# Behind the adapter: it cannot be imported while there is such a file.
BREAKS = """
if os.path.exists("%s"):
    raise RuntimeError("no model")
"""


@pytest.fixture
def start(tmp_path: pathlib.Path):
    """Starts a daemon whose pool has these lines in place of its size."""
    daemons = []

    def begin(size: str) -> Daemon:
        path = write_config(tmp_path)
        adapter = path.with_suffix(".py")
        adapter.write_text(adapter.read_text() + BREAKS % (tmp_path / "no_model"))
        text = path.read_text().replace("    pool_size: 1\n", size)
        path.write_text(text + SERVE % (tmp_path / "s"))
        daemons.append(Daemon(path))
        return daemons[0]

    yield begin
    try:
        assert daemons[0].stop() == 0
    finally:
        daemons[0].end()


def pool(daemon: Daemon) -> dict:
    (row,) = json.loads(to(daemon, "pools", "--json").stdout)["pools"]
    return row


def test_a_pool_that_has_failed_is_tried_again(start, tmp_path):
    (tmp_path / "no_model").touch()
    daemon = start("    pool_size: 1\n")
    eventually(lambda: pool(daemon)["state"] == "failed", "that it fails")
    assert "no model" in pool(daemon)["reason"]
    (tmp_path / "no_model").unlink()
    done = to(daemon, "retry", "guinea")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("what is missing is started now; ")
    eventually(lambda: pool(daemon)["state"] == "ready", "that it serves")


def test_a_pool_whose_size_is_a_range_is_resized(start):
    daemon = start("    pool_size: {min: 1, max: 3}\n")
    eventually(lambda: pool(daemon)["workers_ready"] == 1, "that it is ready")
    done = to(daemon, "resize", "guinea", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("workers start, or end what they run, ")
    eventually(lambda: pool(daemon)["workers_ready"] == 2, "that there are two")
    assert to(daemon, "resize", "guinea", "1", "--json").stdout == ""
    eventually(lambda: pool(daemon)["workers"] == 1, "that there is one")
    done = to(daemon, "resize", "guinea", "4")
    assert (done.returncode, done.stdout) == (2, "")
    assert "guinea may not have 4 workers" in done.stderr
    done = to(daemon, "resize", "guinea", "many")
    assert (done.returncode, done.stdout) == (2, "")
    assert "snakepit resize POOL 4" in done.stderr


def test_a_pool_that_there_is_not_is_told(start):
    daemon = start("    pool_size: 1\n")
    for words in (("retry", "nope"), ("resize", "nope", "1")):
        done = to(daemon, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert 'there is no pool "nope"' in done.stderr
        done = to(daemon, *words, "--json")
        assert json.loads(done.stdout)["error"]["name"] == "UNKNOWN_POOL"
