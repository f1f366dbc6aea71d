# SPDX-License-Identifier: MIT
"""docs/serving.md: what it says to type is typed, and what it shows is what comes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from support.command import HYBRID
from support.configs import default_python
from support.daemon import Daemon
from support.places import ROOT
from support.served import end

PAGE = (ROOT / "docs/serving.md").read_text()
ADDRESS = "http://127.0.0.1:8470"
START = "snakepit serve examples/hybrid.yaml &\n"
# A block of a shell, and the one that follows at once, if it shows an answer.
BLOCKS = re.compile(r"```sh\n(.*?)```\n(?:\n```\n(.*?)```\n)?", re.DOTALL)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Of the example that the page uses, at any free port."""
    default_python("thread")
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    daemon = Daemon(HYBRID, "--listen", "127.0.0.1:0")
    yield daemon
    end([daemon])


def shows(answer: str) -> re.Pattern[str]:
    """What the page shows, where "..." is anything."""
    return re.compile(".*?".join(map(re.escape, answer.split("..."))), re.DOTALL)


def test_the_page_is_right(daemon):
    url = daemon.urls()[0]
    blocks = BLOCKS.findall(PAGE)
    assert len(blocks) > 6 and blocks[0][0].startswith(START)
    for commands, answer in blocks:
        script = commands.replace(START, "").replace(ADDRESS, url)
        script = script.replace("curl ", "curl -sS ")
        done = subprocess.run(
            ["sh", "-e", "-c", script], capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, (script, done.stderr)
        assert ADDRESS not in script
        if answer:
            found = done.stdout if done.stdout.endswith("\n") else done.stdout + "\n"
            assert shows(answer).fullmatch(found), (script, done.stdout)
        else:
            assert '"type":"/problems/' not in done.stdout, (script, done.stdout)
