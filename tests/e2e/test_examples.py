# SPDX-License-Identifier: MIT
"""The programs of examples/, built as their first lines say and run as they are."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from support import default_python, programs
from support.places import ROOT

EXAMPLES = ROOT / "examples"

FIGURES = r" +[\d.]+ us a call +[\d.]+ MiB"

# What each program prints, line by line.
SAYS = {
    "worker_recycling_demo": (
        "recycling.yaml",
        [
            r"aged: 2 workers replaced, 0 calls failed",
            r"counted: [4-9] workers replaced, 0 calls failed",
        ],
    ),
    "hybrid_pools_demo": (
        "hybrid.yaml",
        [r'text: \{.*"words": ?5.*\}', r'arrays: \{.*"sum": ?500500(\.0)?\b.*\}'],
    ),
    "hpc_pool_demo": (
        "hpc.yaml",
        [r"16 products of 256 x 256 matrices, 16 of them right"],
    ),
    "dual_mode_demo": (
        "dual_mode.yaml",
        [
            r"processes  process  4 x 1  2000 calls, 0 failed " + FIGURES,
            r"threads    thread   1 x 4  2000 calls, 0 failed " + FIGURES,
        ],
    ),
}


@pytest.mark.parametrize("name", SAYS)
def test_an_example_does_what_it_says(name, tmp_path):
    programs.skip_if_sanitized()
    config, expected = SAYS[name]
    python = {
        "SNAKEPIT_PYTHON": default_python("process"),
        "SNAKEPIT_PYTHON_FT": default_python("thread"),
    }
    program = programs.build(
        name, tmp_path, "-Wall", "-Wextra", "-Werror", where=EXAMPLES
    )
    done = subprocess.run(
        [program, EXAMPLES / config],
        capture_output=True,
        text=True,
        env=os.environ | python,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
