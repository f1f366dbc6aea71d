# SPDX-License-Identifier: MIT
"""docs/observing.md: its commands work, and what it names is there."""

from __future__ import annotations

import re

import pytest
from support.connecting import to
from support.places import ROOT
from support.served import Client, config, end, serve
from support.waiting import eventually

PAGE = (ROOT / "docs/observing.md").read_text()
TYPED = re.findall(r"^\$ snakepit (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def daemon(tmp_path):
    one = serve(config(tmp_path, name="shop"))
    yield one
    end([one])


def test_what_it_says_to_type_can_be_typed(daemon):
    client = Client(daemon)
    eventually(
        lambda: client.ask("GET", "/v1/pools/shop")[1]["state"] == "ready", "it serves"
    )
    assert len(TYPED) >= 4
    for words in TYPED:
        done = to(daemon, *words.split())
        assert (done.returncode, done.stderr) == (0, ""), words


def test_its_metrics_commands_and_keys_are_there():
    told = {
        "metric": (r"`(snakepit_\w+)`", (ROOT / "docs/metrics.md").read_text()),
        "command": (r"`snakepit ([a-z-]+)", (ROOT / "docs/cli.md").read_text()),
        "event": (
            r"`((?:worker|call|pool)\.\w+)`",
            (ROOT / "docs/events.md").read_text(),
        ),
    }
    patterns = {"metric": "`{}`", "command": "## snakepit {}\n", "event": "`{}`"}
    functions = ["pool_get_stats", "metrics", "worker_stacks"]
    for kind, (pattern, text) in told.items():
        names = set(re.findall(pattern, PAGE)) - {f"snakepit_{f}" for f in functions}
        assert len(names) > 3, kind
        for name in names:
            assert patterns[kind].format(name) in text, name
