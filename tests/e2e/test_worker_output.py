# SPDX-License-Identifier: MIT
"""`GET /v1/workers/{worker}/output`: what a worker has printed last."""

from __future__ import annotations

import pytest
from support.served import Client, config, end, serve
from support.waiting import eventually


@pytest.fixture
def client(tmp_path):
    started = serve(config(tmp_path, adapter="guinea_pig.GuineaPig"))
    yield Client(started)
    end([started])


def worker_of(client: Client) -> int:
    return client.ask("GET", "/v1/pools/text")[1]["workers_now"][0]["id"]


def printed(client: Client, worker: int) -> tuple[str, str]:
    status, value = client.ask("GET", f"/v1/workers/{worker}/output")
    assert status == 200
    assert (value["pool"], value["worker"]) == ("text", worker)
    return value["stdout"], value["stderr"]


def say(client: Client, text: str, stream: str) -> None:
    assert client.call("say", {"text": text, "stream": stream})[0] == 200


def test_both_streams_are_told_apart(client):
    worker = worker_of(client)
    before = printed(client, worker)
    say(client, "to you", "stdout")
    say(client, "to \x1b[31mme", "stderr")
    eventually(
        lambda: (
            printed(client, worker)[0] == before[0] + "to you\n"
            and printed(client, worker)[1].endswith("[31mme\n")
        ),
        "both lines are told",
    )
    assert "\x1b" not in printed(client, worker)[1]


def test_only_the_last_whole_lines_are_kept(client):
    worker = worker_of(client)
    for i in range(40):
        say(client, f"{i} " + "x" * 1000, "stdout")
    text = eventually(
        lambda: next((t for t in printed(client, worker)[:1] if "\n39 " in t), None),
        "the last one is told",
    )
    assert len(text) <= 8192
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == [
        str(i) for i in range(40 - len(lines), 40)
    ]


def test_a_worker_that_is_not_there_has_none(client):
    status, problem = client.ask("GET", "/v1/workers/999999/output")
    assert (status, problem["error"]["name"]) == (404, "NOT_FOUND")
    assert client.ask("GET", "/v1/workers/x/output")[0] == 400
