# SPDX-License-Identifier: MIT
"""Streams over HTTP: server-sent events, against the real daemon."""

from __future__ import annotations

import contextlib
import threading
import time

from support.served import CALL, SSE, poured
from support.waiting import eventually

LIMIT = 16 << 20  # bytes that may be on their way to a client that does not read


def test_a_stream_is_events(client):
    events = client.events("count", {"n": 300})
    assert events.answer.status == 200
    assert events.answer.headers["Content-Type"] == "text/event-stream"
    assert list(events) == [
        *(("message", i) for i in range(300)),
        ("end", {"result": 300}),
    ]
    events.close()


def test_a_generator_without_a_stream_is_the_list_of_its_items(client):
    """Without what it returns."""
    assert client.ask("POST", CALL + "count", {"n": 3}) == (200, [0, 1, 2])


def test_a_plain_result_is_a_stream_of_one(client):
    events = client.events("add", {"a": 1})
    assert list(events) == [("message", 2), ("end", {"result": None})]
    events.close()


def test_a_chunk_that_has_no_json_is_told_though_the_tool_ended_well(client):
    answer = client.open("POST", CALL + "alike", None, **SSE)
    with contextlib.closing(answer.connection):
        assert answer.status == 500
        assert b'"name":"UNSERIALISABLE"' in answer.read()


def test_lines_in_chunks_do_not_break_the_framing(client):
    events = client.events("lines")
    assert [value for _, value in events][:2] == ["a\nb\r\nc", {"$": "data: x\n\n"}]
    events.close()


def test_a_stream_that_fails_ends_with_the_fault(client):
    events = client.events("count", {"n": 9, "fail_at": 2})
    got = list(events)
    assert got[:2] == [("message", 0), ("message", 1)]
    name, problem = got[2]
    assert (name, problem["error"]["name"]) == ("error", "TOOL_FAILED")
    assert problem["detail"] == "ValueError: no 2"
    events.close()


def test_a_stream_that_fails_before_its_first_chunk_has_a_status(client):
    for tool, wanted in (("fail", 500), ("no_such", 404)):
        status, headers, value = client.whole("POST", CALL + tool, **SSE)
        assert (status, value["status"]) == (wanted, wanted)
        assert headers["Content-Type"] == "application/problem+json"


def test_a_slow_reader_holds_its_producer(client, tmp_path):
    path = tmp_path / "poured"
    events = client.events("pour", {"path": str(path)})
    looks: list[int] = [-1]

    def is_held() -> bool:
        looks.append(poured(path))
        time.sleep(0.2)
        return looks[-1] > 0 and looks[-1] == poured(path)

    eventually(is_held, "that the producer waits")
    held = looks[-1]
    assert held * 65536 < LIMIT
    # The loop has others to serve meanwhile, and the reader is not forgotten.
    assert client.ask("GET", "/livez")[0] == 200
    values = iter(events)
    for _ in range(held + 50):
        assert next(values)[0] == "message"
    eventually(lambda: poured(path) > held, "that the producer goes on")
    events.close()
    eventually(lambda: path.read_text() == "closed", "that the generator is closed")


def test_a_stream_is_cancelled_by_its_number(client, tmp_path):
    path = tmp_path / "poured"
    events = client.events("pour", {"path": str(path), "size": 10})
    values = iter(events)
    assert next(values)[0] == "message"
    number = events.answer.headers["Snakepit-Call-Id"]
    assert client.ask("DELETE", f"/v1/calls/{number}")[0] == 202
    *_, (name, problem) = values
    assert (name, problem["error"]["name"]) == ("error", "CANCELLED")
    eventually(lambda: path.read_text() == "closed", "that the generator is closed")
    events.close()


def test_a_producer_that_is_always_ahead_leaves_room_for_others(client, tmp_path):
    path = tmp_path / "poured"
    events = client.events("pour", {"path": str(path), "size": 10})
    done = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for _ in events:
                if done.is_set():
                    return

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(20):
        assert client.ask("GET", "/v1/pools")[0] == 200
    done.set()
    thread.join()
    events.close()
    eventually(lambda: path.read_text() == "closed", "that the generator is closed")
