# SPDX-License-Identifier: MIT
"""The first steps of somebody who has just cloned the repository."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from support.places import ROOT, SYSTEM

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
