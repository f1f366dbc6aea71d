# SPDX-License-Identifier: MIT
"""The first steps of somebody who has just cloned the repository."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
from support.places import BUILD, ROOT, SYSTEM

FOLDERS = ["plain", "with spaces", "mit Ümläuten", "a'quote", '"$(false)`false`']


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_shell_reads_bootstrap_env_as_it_is_meant(tmp_path, folder):
    script = (ROOT / "tools/bootstrap").read_text()
    start = script.index("env_line() {")
    function = script[start : script.index("\n}\n", start) + 3]
    path = tmp_path / "bootstrap.env"
    wanted = f"/home/{folder}/build/venv/system/bin/python"
    line = subprocess.run(
        ["bash", "-euc", function + 'env_line SNAKEPIT_PYTHON "$1"', "bash", wanted],
        capture_output=True,
        check=True,
    ).stdout
    path.write_bytes(line)
    for shell in ("sh", "bash"):
        read = f'set -a; . "{path}"; set +a; printenv SNAKEPIT_PYTHON'
        told = subprocess.run([shell, "-euc", read], capture_output=True, check=True)
        assert told.stdout.decode() == wanted + "\n"


def test_bootstrap_env_names_the_interpreter_of_these_tests():
    path = ROOT / "build/bootstrap.env"
    if not path.exists() or not SYSTEM.startswith(str(ROOT)):
        pytest.skip("these tests run on other interpreters")
    read = f'. "{path}"; echo "$SNAKEPIT_PYTHON_SYSTEM"'
    told = subprocess.run(["sh", "-euc", read], capture_output=True, check=True)
    assert pathlib.Path(told.stdout.decode().strip()) == pathlib.Path(SYSTEM)


# What the machine has: no free-threaded interpreter, and an archive without sources.
MACHINE = {
    "programs/python3.14t": "exit 1",
    "programs/python3.13t": "exit 1",
    "programs/apt-get": "exit 100",
}
# One that was built before: it answers as a free-threaded interpreter does.
BUILT = {
    "cache/python-3.13t/bin/python3.13t": 'case "$*" in *print*) echo "$0";; esac',
}


def free_threaded_found(folder, programs, **env):
    """What tools/bootstrap says and finds, in a checkout and a machine of its own."""
    script = (ROOT / "tools/bootstrap").read_text()
    steps = script[: script.index("# ---- main")]
    (folder / "tools").mkdir()
    path = folder / "tools/bootstrap"
    path.write_text(steps + 'step_pythons\necho "found: $FT_BASE"\n')
    (folder / "build").mkdir()
    (folder / "build/bootstrap.log").touch()
    for name, body in programs.items():
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    found = {
        name: value for name, value in os.environ.items() if "SNAKEPIT" not in name
    }
    found["PATH"] = f"{folder}/programs:/usr/bin:/bin"
    found["SNAKEPIT_CACHE"] = str(folder / "cache")
    words = ["bash", str(path)]
    told = subprocess.run(
        words, env=found | env, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_bootstrap_goes_on_without_a_free_threaded_python_where_it_is_told_to(tmp_path):
    told = free_threaded_found(tmp_path, MACHINE | BUILT, SNAKEPIT_PYTHON_FT="")
    assert told == "found: \n"


def test_bootstrap_takes_the_free_threaded_python_that_it_built_before(tmp_path):
    told = free_threaded_found(tmp_path, MACHINE | BUILT)
    assert told == f"found: {tmp_path}/cache/python-3.13t/bin/python3.13t\n"


def test_bootstrap_goes_on_where_it_cannot_build_a_free_threaded_python(tmp_path):
    told = free_threaded_found(tmp_path, MACHINE)
    assert "warning: going on without a free-threaded Python" in told
    assert told.endswith("\nfound: \n")


def test_the_demo_ends_with_a_daemon_that_answers_curl(tmp_path):
    words = [ROOT / "tools/demo-daemon", BUILD / "bin/snakepit"]
    env = os.environ | {"SNAKEPIT_PYTHON": SYSTEM, "TMPDIR": str(tmp_path)}
    told = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    asked, answered = told.stdout.splitlines()[3:5]
    assert asked.startswith("  $ curl --json ") and answered == "  42"
    assert list(tmp_path.iterdir()) == []


def test_bootstrap_says_at_once_what_it_does(tmp_path):
    """The first time; here nothing can be installed, and that is the end of it."""
    path = tmp_path / "tools/bootstrap"
    path.parent.mkdir()
    path.write_text((ROOT / "tools/bootstrap").read_text())
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("dpkg-query", "apt-get", "sudo"):
        (programs / name).write_text("#!/bin/sh\nexit 100\n")
        (programs / name).chmod(0o755)
    told = subprocess.run(
        ["bash", str(path)],
        env={**os.environ, "PATH": f"{programs}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert told.stdout.startswith("bootstrap: looking at what this machine has"), told
