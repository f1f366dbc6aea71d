# SPDX-License-Identifier: MIT
"""What the daemon's pools do, as a program at its local door is told of it; and such a
program that is there before its daemon.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import signal
import threading
from typing import Any

import pytest
from support import configs, through
from support.answers import Refused
from support.command import run
from support.host_tools import register
from support.library import err_name, lib
from support.pit import Pit
from support.waiting import eventually, sleeps

REPORTS = {"adapter": "reports.Reports"}


def open_pit(pool: dict[str, Any] | None = None, **how: Any) -> Pit:
    """A pit at the local door of a daemon of its own."""
    keys = ("listens", "logs", "hears", "traces")
    return Pit.open_through(
        {"pools": [pool or configs.pool()], **how.pop("top", {})},
        *(how.get(key, key == "logs") for key in keys),
    )


# ---- What is told --------------------------------------------------------------------


def test_a_program_hears_what_happens_to_the_daemons_workers() -> None:
    with open_pit(hears="info") as pit:
        pit.await_ready()
        (worker,) = pit.workers()
        os.kill(worker.pid, signal.SIGKILL)

        def told() -> list[Any]:
            return [notice for notice in pit.notices if notice.name == "worker.exit"]

        eventually(told, "its end is told")
        (exit_,) = told()
        assert (exit_.pool, exit_.level) == ("default", "warning")
        assert (exit_.fields["worker"], exit_.fields["signal"]) == (worker.id, 9)


def test_a_program_that_wants_less_is_told_less() -> None:
    with open_pit(hears="error") as pit:
        pit.await_ready()
        pit.kill_workers()
        assert pit.call("ping") == "pong"
        assert not pit.notices


def test_what_an_adapter_emits_comes_as_it_was() -> None:
    with open_pit(configs.pool(**REPORTS), listens=True) as pit:
        pit.await_ready()
        arguments = {
            "name": "x.y",
            "measurements": {"number": 2.5, "many": 2**60},
            "metadata": {"deep": [1, {"bytes": b"\x00\xff"}]},
        }
        pit.call("emit", arguments, session="s-1")

        def told() -> list[Any]:
            return [event for event in pit.events if event.name == "x.y"]

        eventually(told, "it is told")
        (event,) = told()
        assert event.measurements == arguments["measurements"]
        assert event.metadata == arguments["metadata"]
        assert (event.pool, event.session_id) == ("default", "s-1")
        assert event.worker == pit.workers()[0].id
        assert event.call > 0


def test_who_is_too_slow_for_what_is_told_hears_how_much_was_lost() -> None:
    with open_pit(configs.pool(**REPORTS), listens=True) as pit:
        pit.await_ready()
        pit.call("one")
        pit.events.held = held = threading.Event()
        with Pit.connect(pit.behind.address, listens=True) as other:
            # More than the daemon keeps, by whoever hears all of it.
            eventually(
                lambda: pit.call("many", {"count": 100}) or len(other.events) > 4000,
                "many are told",
            )
        held.set()
        pit.await_line("pit.news_lost", "lost=")


def test_the_tools_of_a_session_end_with_it_wherever_it_is() -> None:
    top = {"session_ttl_ms": 50}
    with open_pit(configs.pool(adapter="asks.Asks"), top=top) as pit:
        pit.await_ready()
        register(pit, "who", lambda info: "all")
        register(pit, "who", lambda info: "mine", session="s-1")
        assert pit.call("host", {"tool": "who"}, session="s-1") == "mine"
        # In the daemon; a call would keep it alive.
        eventually(lambda: ("s-1", "expired") in pit.ended_sessions, "it expires")
        assert pit.call("host", {"tool": "who"}, session="s-1") == "all"


def test_calls_are_recorded_as_long_as_a_program_wants_it() -> None:
    ended: list[None] = []
    take = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(
        lambda _user, _call: ended.append(None)
    )
    with open_pit() as pit, Pit.connect(pit.behind.address) as other:
        pit.await_ready()

        def recorded() -> int:
            ended.clear()
            assert (
                err_name(lib.recent_calls(pit.handle, None, None, take, None)) == "OK"
            )
            return len(ended)

        pit.call("ping")
        assert recorded() == 0
        assert err_name(lib.calls_record(other.handle, True)) == "OK"
        assert err_name(lib.calls_record(other.handle, True)) == "OK"
        pit.call("ping")
        assert recorded() == 1
        assert err_name(lib.calls_record(other.handle, False)) == "OK"
        pit.call("echo", {"value": 1})
        assert recorded() == 2
        other.close()  # which takes its wish along
        eventually(lambda: recorded() == 0, "nothing is recorded any more")
        assert err_name(lib.calls_record(pit.handle, False)) == "INVALID_ARGUMENT"


# ---- Before the daemon ---------------------------------------------------------------


def test_a_program_may_be_there_before_its_daemon(tmp_path: pathlib.Path) -> None:
    address = f"unix:{tmp_path}/local.sock"
    with Pit.connect(address, reconnect=True) as pit:
        fault = pit.fails("ping")
        assert fault.err == "UNREACHABLE"
        assert "start the daemon by snakepit serve" in fault.message
        with pytest.raises(Refused, match=r"UNREACHABLE.*is not there"):
            pit.await_serving(timeout_ms=10)
        with pytest.raises(Refused, match="UNREACHABLE"):
            pit.stats()
        came = []
        waiter = threading.Thread(target=lambda: came.append(pit.await_serving()))
        waiter.start()
        behind = through.Behind({"pools": [configs.pool()]}, "info", address)
        waiter.join(120)
        assert came == [pit]
        assert pit.call("ping") == "pong"
        assert pit.stats().name == b"default"
        behind.end()


def test_a_program_that_waits_for_its_daemon_can_be_closed(
    tmp_path: pathlib.Path,
) -> None:
    pit = Pit.connect(f"unix:{tmp_path}/local.sock", reconnect=True)
    told = []

    def wait() -> None:
        with pytest.raises(Refused) as refused:
            pit.await_serving(timeout_ms=60_000)
        told.append(refused.value.err)

    waiter = threading.Thread(target=wait)
    waiter.start()
    eventually(lambda: sleeps(waiter), "it waits")
    pit.close()
    waiter.join(60)
    assert told == ["SHUTTING_DOWN"]


# ---- The command ---------------------------------------------------------------------


def test_the_command_calls_tools_at_a_local_door() -> None:
    with open_pit() as pit:
        address = pit.behind.address
        done = run("call", "default", "echo", '{"value": 42}', "--connect", address)
        assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
        done = run("tools", "default", "--connect", address)
        assert done.returncode == 0
        assert "echo" in done.stdout


@pytest.mark.parametrize("words", [("pools",), ("recycle", "default"), ("sessions",)])
def test_the_command_says_which_door_is_a_local_one(words: tuple[str, ...]) -> None:
    with open_pit() as pit:
        done = run(*words, "--connect", pit.behind.address)
    assert done.returncode != 0
    assert "is a local door, by which programs use pools" in done.stderr
