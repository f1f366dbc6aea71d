# SPDX-License-Identifier: MIT
"""docs/inference.md, as it is written: its adapter, its configuration and its requests.
Its client is run by peers.tritonclient.
"""

from __future__ import annotations

import re
import subprocess

import pytest
from support.pages import Page
from support.served import Client, end, serve

PAGE = Page("inference.md")


@pytest.fixture
def daemon(tmp_path):
    daemon = serve(PAGE.config(tmp_path, "scoring"), cwd=tmp_path)
    yield daemon
    end([daemon])


def test_the_page_is_right(daemon):
    shown = re.findall(r"^\$ (curl .*)\n(.*)$", PAGE.block("console"), re.MULTILINE)
    assert len(shown) == 2
    for command, answer in shown:
        command = command.replace("http://127.0.0.1:8470", daemon.urls(1)[0])
        said = subprocess.run(
            command, shell=True, capture_output=True, text=True, check=True
        )
        assert said.stdout == answer
    assert Client(daemon).ask("GET", "/v2/models/scoring.scores/ready")[0] == 200
