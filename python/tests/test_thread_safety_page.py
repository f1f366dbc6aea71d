# SPDX-License-Identifier: MIT
"""Every Python example of docs/thread-safety.md runs, in the order of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import snakepit_bridge

PAGE = Path(__file__).resolve().parents[2] / "docs" / "thread-safety.md"
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_example_runs(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```python") == 7
    path = os.pathsep.join(
        [str(tmp_path), str(Path(snakepit_bridge.__path__[0]).parent)]
    )
    for name, code in blocks:
        (tmp_path / name).write_text(code, encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, str(tmp_path / name)],
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
