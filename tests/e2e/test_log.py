# SPDX-License-Identifier: MIT
"""The log: nobody waits for its reader, and no worker can write what is not its own."""

from __future__ import annotations

import os
import re

import pytest
from support import Refused, eventually, pool, wait_for_file

# What no text of a worker may carry to a log or a terminal.
UNSHOWN = [0x1B, 0x07, 0x7F, 0x85, 0x9B, 0x9D, 0x061C, 0x200B, 0x200E, 0x200F]
UNSHOWN += [0x2028, 0x2029, 0x202A, 0x202E, 0x2060, 0x2066, 0x2069, 0xFEFF, 0xE0041]
NASTY = "a" + "".join(map(chr, UNSHOWN)) + "z"
CLEAN = "a" + "?" * len("".join(map(chr, UNSHOWN)).encode()) + "z"
FORGED = 'x" pool=other worker=99 line="forged\\'


def full_pipe():
    """A pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return reader, writer


# ---- Its reader ----------------------------------------------------------------------


def live_through_everything(host, tmp_path):
    """What a host has to do while its log goes nowhere."""
    host.open()
    for _ in range(3):
        assert host.call("die")["err"] == "WORKER_DIED"
        assert host.call("ping")["value"] == "pong"
    started = tmp_path / "started"
    host.begin("sleep", seconds=60, path=str(started))
    wait_for_file(started)
    assert host.end(within=60) == 0


@pytest.mark.parametrize("level", ["debug", "warning"])
def test_a_full_stderr_stops_nothing(start_host, profile, tmp_path, monkeypatch, level):
    monkeypatch.setenv("SNAKEPIT_LOG", level)
    reader, writer = full_pipe()
    try:
        host = start_host(pool(profile), top={"logs": False}, stderr=writer)
        live_through_everything(host, tmp_path)
        assert os.get_blocking(writer), "its flags are those of others too"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_stderr_without_a_reader_ends_no_host(start_host, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAKEPIT_LOG", "debug")
    reader, writer = os.pipe()
    os.close(reader)
    setup = {"default_sigpipe": True}
    host = start_host(pool(), top={"logs": False}, setup=setup, stderr=writer)
    os.close(writer)
    live_through_everything(host, tmp_path)


def test_a_reader_that_comes_back_is_told_what_it_missed(
    start_host, profile, monkeypatch
):
    monkeypatch.setenv("SNAKEPIT_LOG", "info")
    reader, writer = full_pipe()
    try:
        host = start_host(pool(profile), top={"logs": False}, stderr=writer)
        os.close(writer)
        host.open()
        assert host.call("say", text=("y" * 400 + "\n") * 6000)["err"] == "OK"
        data = b""
        while not re.search(rb"log.dropped lines=[1-9]", data):
            data += os.read(reader, 1 << 16).lstrip(b"x")
        assert re.search(rb"INFO worker.started pool=default ", data)
        host.kill()
    finally:
        os.close(reader)


# ---- What is in it -------------------------------------------------------------------


def last_of(pit, event):
    eventually(lambda: pit.logged(event))
    return pit.logged(event)[-1]


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_line_that_is_printed_adds_no_field(open_pit, profile, descriptor):
    pit = open_pit(pool(profile))
    pit.call("noise", {"data": FORGED.encode() + b"\n", "descriptor": descriptor})
    text = last_of(pit, "worker.stdout" if descriptor == 1 else "worker.stderr")
    escaped = FORGED.replace("\\", "\\\\").replace('"', '\\"')
    assert text.endswith(f' line="{escaped}"')


def test_what_is_printed_moves_no_terminal(open_pit, profile):
    pit = open_pit(pool(profile))
    pit.call("noise", {"data": NASTY.encode() + b"\n", "descriptor": 1})
    assert last_of(pit, "worker.stdout").endswith(f' line="{CLEAN}"')


def test_an_event_adds_no_field_and_moves_no_terminal(open_pit, profile):
    pit = open_pit(pool(profile, adapter="reports:Reports"))
    named = {"name": NASTY, "measurements": {FORGED: 1}, "metadata": {"k": NASTY}}
    pit.call("emit", named)
    eventually(lambda: any(CLEAN in row for row in pit.logged("worker.event")))
    (line,) = (row for row in pit.logged("worker.event") if CLEAN in row)
    assert f' event="{CLEAN}" ' in line
    assert line.split(" ")[-2].startswith('measurements={"x\\"\\u0020pool\\u003dother')
    assert line.split(" ")[-1] == f'metadata={{"k":"{CLEAN_IN_JSON}"}}'


# In JSON the codes below a blank are escaped already.
CLEAN_IN_JSON = CLEAN.replace("a??", "a\\u001b\\u0007", 1)


def test_a_fault_moves_no_terminal(open_pit, kind):
    pit = open_pit(pool(kind))
    fault = pit.fails("fail", {"message": NASTY + "\n\tsecond line"})
    assert fault.message.endswith(CLEAN + "\n\tsecond line")
    assert CLEAN in fault.traceback
    fault = pit.fails("last_words", {"text": NASTY + "\nlast"})
    assert fault.last_output.endswith(CLEAN + "\nlast\n")


@pytest.mark.errors_logged("pool.failed")
def test_a_failed_start_moves_no_terminal(open_pit):
    broken = pool(
        adapter="starts.Initialize", adapter_config={"words": NASTY[:-2] + "z"}
    )
    pit = open_pit(broken, ready=False)
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert refused.value.err == "POOL_FAILED"
    assert CLEAN[:-5] + "z" in refused.value.why
    assert not set(map(ord, refused.value.why)) & set(UNSHOWN)
