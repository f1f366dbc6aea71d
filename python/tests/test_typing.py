# SPDX-License-Identifier: MIT
"""Programs of adapter authors under mypy --strict, for several versions of Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

PYTHON = Path(__file__).resolve().parent.parent

PROGRAM = """\
from snakepit_bridge import (
    BaseAdapter, Tensor, ThreadSafeAdapter, thread_safe_method, tool
)


class Sums(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    @thread_safe_method
    def total(self, values: Tensor) -> float:
        return float(sum(memoryview(values).cast("B").cast("d")))

    @thread_safe_method
    async def later(self, values: Tensor) -> int:
        return len(bytes(values)) + len(bytearray(values))


def check(sums: Sums, values: Tensor) -> float:
    return sums.total(values) + values.nbytes
"""


# mypy knows no Python before 3.10.
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_what_the_documentation_recommends_is_well_typed(
    tmp_path: Path, version: str
) -> None:
    program = tmp_path / "sums.py"
    program.write_text(PROGRAM)
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--python-version", version),
            *("--config-file", "", "--cache-dir", str(tmp_path), str(program)),
        ],
        env={"MYPYPATH": str(PYTHON), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert checked.stdout == "Success: no issues found in 1 source file\n"
