# SPDX-License-Identifier: MIT
"""The snakepit command, as the tests of it run it."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import time

import pytest

from .places import BUILD, ROOT

SNAKEPIT = BUILD / "bin/snakepit"
HYBRID = ROOT / "examples/hybrid.yaml"
THREADED_SHOWCASE = "snakepit_bridge.adapters.threaded_showcase:ThreadedShowcaseAdapter"

ADAPTER = """
import os, time
from snakepit_bridge import BaseAdapter, tool

class Guinea(BaseAdapter):
    @tool
    def echo(self, **arguments):
        print("hello from the adapter")
        return arguments

    @tool
    def alike_in_json(self):
        return [{"days": {1: "a", "1": "b"}}]

    @tool
    def size(self, text):
        return len(text)

    @tool
    def session(self):
        return self.session_id

    @tool
    def fail(self, message="no"):
        raise ValueError(message)

    @tool
    def sleep(self, path, seconds=30):
        with open(path, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(seconds)

    @tool
    def big(self, length):
        return "x" * length

    @tool
    def count(self, n, fail_at=-1):
        for i in range(n):
            if i == fail_at:
                raise ValueError(f"no {i}")
            yield {"i": i}

    @tool
    def wait(self, path):
        yield os.getpid()
        try:
            while True:
                time.sleep(0.01)
        finally:
            open(path, "w").close()
"""


def environment(**more):
    found = dict(os.environ)
    found.pop("SNAKEPIT_LOG", None)
    for name, kind in (("SNAKEPIT_PYTHON", "SYSTEM"), ("SNAKEPIT_PYTHON_FT", "FT")):
        built = ROOT / f"build/venv/{kind.lower()}/bin/python"
        python = os.environ.get(f"SNAKEPIT_PYTHON_{kind}", str(built))
        found.pop(name, None)
        if os.path.exists(python):  # there may be no free-threaded one
            found[name] = python
    found.update(more)
    return found


def run(*words, env=None, **options):
    """Run the command; text in and out, at most a minute."""
    return subprocess.run(
        [str(SNAKEPIT), *map(str, words)],
        env=env or environment(),
        stdin=options.pop("stdin", None if "input" in options else subprocess.DEVNULL),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
        check=False,
        **options,
    )


def run_without_proc(*words, env=None):
    """The same where /proc is not mounted. Skips the test where that cannot be."""
    command = shlex.join([str(SNAKEPIT), *map(str, words)])
    script = f"mount -t tmpfs none /proc && exec {command}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this container may not mount")
    return done


def write_config(folder):
    """A configuration of one pool, and its adapter beside it."""
    (folder / "guinea.py").write_text(ADAPTER)
    path = folder / "guinea.yaml"
    path.write_text(
        "pools:\n  - name: guinea\n    pool_size: 1\n    adapter: guinea.Guinea\n"
    )
    return path


def call(config, tool, *words, **options):
    return run("call", "guinea", tool, *words, "--config", config, **options)


def is_gone(pid):
    """True once there is no such process, or only its corpse."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def workers_of(pid):
    """The pids of a process's children, whichever of its threads started them."""
    files = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)
