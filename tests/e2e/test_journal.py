# SPDX-License-Identifier: MIT
"""`log_format: journald` on a real journal."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.daemon import Daemon
from support.journal import Journal, why_none
from support.served import Client, config, end
from support.waiting import eventually

WHY_NONE = why_none()
pytestmark = pytest.mark.skipif(WHY_NONE != "", reason=WHY_NONE)


@pytest.fixture
def journal() -> Iterator[Journal]:
    one = Journal()
    yield one
    one.end()


@pytest.fixture
def client(journal: Journal, tmp_path: pathlib.Path) -> Iterator[Client]:
    """Of a daemon that logs to that journal."""
    path = config(tmp_path, adapter="guinea_pig.GuineaPig")
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "log_format": "journald"})
    )
    daemon = Daemon(path, env={"SNAKEPIT_LOG": "info"}, prefix=journal.within)
    address = journal.event("serve.listening")["SNAKEPIT_ADDRESS"]
    daemon.urls = lambda count=1: [address]
    one = Client(daemon)
    eventually(one.is_ready)
    yield one
    end([daemon])


def printed(journal: Journal, text: str, stream: str, client: Client) -> dict[str, Any]:
    """Has the worker print it; what the journal has of it."""
    said = len(journal.events(f"worker.{stream}"))
    arguments = {"text": text, "stream": stream}
    assert client.call("say", arguments)[0] == 200
    return eventually(
        lambda: journal.events(f"worker.{stream}")[said:], "that it is there"
    )[0]


def test_an_event_has_its_fields(journal, client):
    started = journal.event("worker.started")
    assert started["PRIORITY"] == "6"
    assert started["SYSLOG_IDENTIFIER"] == "snakepit"
    assert started["_TRANSPORT"] == "journal"
    assert started["_PID"] == str(client.daemon.popen.pid)  # who has told it
    assert started["SNAKEPIT_POOL"] == "text"
    assert started["SNAKEPIT_ADAPTER"] == "guinea_pig.GuineaPig"
    (worker,) = client.ask("GET", "/v1/pools/text")[1]["workers_now"]
    assert started["SNAKEPIT_PID"] == str(worker["pid"])
    assert re.fullmatch(r"\d+", started["SNAKEPIT_START_MS"])
    assert started["MESSAGE"].startswith("worker.started pool=text worker=")
    assert client.daemon.said() == "", "it is all in the journal"


def test_a_level_is_a_priority(journal, client):
    assert client.call("die")[0] >= 400
    gone = journal.event("worker.exit")
    assert gone["PRIORITY"] == "4"
    assert gone["SNAKEPIT_SIGNAL"] == "9" and gone["SNAKEPIT_EXPECTED"] == "no"


def test_what_a_worker_prints_cannot_be_a_field(journal, client):
    """Nor does it end one: texts are lines of UTF-8 without control codes."""
    text = "a\x1b[2Jb\x00c\x07=\u20ac\u4e16\r\nSNAKEPIT_POOL=other"
    said = printed(journal, text, "stdout", client)
    assert said["SNAKEPIT_POOL"] == "text"
    line = said["SNAKEPIT_LINE"]
    assert line.endswith(("=\u20ac\u4e16", "=\u20ac\u4e16?"))
    assert not re.search(r"[\x00-\x1f]", line)
    lines = eventually(
        lambda: [
            event["SNAKEPIT_LINE"]
            for event in journal.events("worker.stdout")
            if event["SNAKEPIT_LINE"].startswith("SNAKEPIT_POOL")
        ]
    )
    assert lines == ["SNAKEPIT_POOL=other"]


def test_the_longest_texts_are_there_in_their_fields(journal, client):
    """An event has less than 4 KiB of them, so no datagram is too large."""
    text = "\u20ac" + 'x"' * 1700  # with its quotes the line of the log has no room
    said = printed(journal, text, "stdout", client)
    assert said["SNAKEPIT_LINE"] == text
    assert said["SNAKEPIT_POOL"] == "text" and said["SNAKEPIT_WORKER"] == "1"
    assert 4000 < len(said["MESSAGE"].encode()) < 4096, "it is cut"
    longer = "y" * 100_000
    said = printed(journal, longer, "stdout", client)
    assert said["SNAKEPIT_LINE"].startswith("y" * 3000)
