# SPDX-License-Identifier: MIT
"""Sessions: where their calls go, what they keep on the host, how they end."""

from __future__ import annotations

import os
import resource
import signal

import numpy
import pytest
from support import (
    CallFailed,
    Refused,
    eventually,
    open_gate,
    pool,
    wait_for_file,
)
from support.answers import Writer
from support.library import lib

MODES = ("hint", "strict_queue", "strict_fail_fast")
STRICT = MODES[1:]
MIB = 1 << 20


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


class Held:
    """Calls that run until they are let go, one for each of `sessions`."""

    def __init__(self, pit, gate, *sessions):
        self.gate = gate
        self.pids = []
        self.calls = []
        for session in sessions:
            ready = gate.parent / f"ready-{os.urandom(4).hex()}"
            self.calls.append(
                pit.submit(
                    "wait_for",
                    {"path": str(gate), "ready": str(ready)},
                    session=session,
                )
            )
            self.pids.append(int(wait_for_file(ready)))

    def release(self):
        open_gate(self.gate, lambda: all(call.ended.is_set() for call in self.calls))
        return self.calls


def two_workers(profile, affinity, **options):
    """A pool of two workers with one executor each."""
    return pool(
        profile,
        pool_size=2,
        threads_per_worker=1 if profile == "thread" else None,
        prefetch=0,
        affinity=affinity,
        **options,
    )


def tie(pit, gate, *sessions):
    """Ties each session to another worker; their process ids."""
    held = Held(pit, gate, *sessions)
    held.release()
    assert len(set(held.pids)) == len(sessions)
    return held.pids


def row_of(pit, pid):
    return next(row for row in pit.workers() if row.pid == pid)


# ---- Affinity ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_session_stays_with_its_worker(open_pit, kind, gate, mode):
    wanted = pool(kind, pool_size=2, affinity=mode)
    pit = open_pit(wanted)
    pids = tie(pit, gate, "a", "b")
    seen = [pit.call("pid", session="ab"[i % 2]) for i in range(200)]
    assert seen == pids * 100


def test_a_hint_goes_elsewhere_while_its_worker_is_busy(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "hint"))
    first, second = tie(pit, gate, "a", "b")
    held = Held(pit, gate, "a")
    assert held.pids == [first]
    assert pit.call("pid", session="a") == second
    held.release()
    assert pit.call("pid", session="b") == second
    assert pit.call("pid", session="a") == first


def test_strict_calls_wait_in_order_and_block_nobody(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "strict_queue"))
    first, second = tie(pit, gate, "a", "b")
    held = Held(pit, gate, "a")
    waiting = [pit.submit("numbers", session="a") for _ in range(20)]
    eventually(lambda: pit.stats().waiting == 20, "they wait")
    # The other worker serves everybody else meanwhile.
    assert {pit.call("pid") for _ in range(20)} == {second}
    assert {pit.call("pid", session="b") for _ in range(20)} == {second}
    assert not any(call.ended.is_set() for call in waiting)
    held.release()
    counts = [call.wait().value[1] for call in waiting]
    assert counts == list(range(1, 21))
    assert pit.call("pid", session="a") == first


def test_strict_calls_of_many_threads_all_reach_their_worker(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "strict_queue"))
    pids = dict(zip("ab", tie(pit, gate, "a", "b")))
    calls = [(s, pit.submit("pid", session=s)) for s in "aabab" * 100]
    assert all(call.wait().value == pids[session] for session, call in calls)


def test_a_strict_call_leaves_the_line_at_its_deadline(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "strict_queue"))
    tie(pit, gate, "a", "b")
    held = Held(pit, gate, "a")
    fault = pit.fails("ping", session="a", timeout_ms=50)
    assert (fault.err, fault.stage) == ("DEADLINE_EXCEEDED", "line")
    assert pit.stats().waiting == 0
    held.release()
    assert pit.call("ping", session="a") == "pong"


def test_a_busy_worker_is_said_to_be_busy_at_once(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "strict_fail_fast"))
    first, second = tie(pit, gate, "a", "b")
    held = Held(pit, gate, "a")
    fault = pit.fails("ping", session="a")
    assert (fault.err, fault.stage) == ("WORKER_BUSY", "line")
    assert pit.refusal("ping", session="a") == "WORKER_BUSY"
    assert lib.err_retryable(22)
    assert pit.call("pid", session="b") == second
    held.release()
    assert pit.call("pid", session="a") == first


# ---- Death ---------------------------------------------------------------------------


def test_a_hint_follows_when_its_worker_dies(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "hint"))
    first, _second = tie(pit, gate, "a", "b")
    row = row_of(pit, first)
    os.kill(first, signal.SIGKILL)
    pit.await_replacement(row)
    pid = pit.call("pid", session="a")
    assert pid != first
    assert {pit.call("pid", session="a") for _ in range(20)} == {pid}


@pytest.mark.parametrize("mode", STRICT)
def test_a_strict_session_is_told_once_that_its_worker_died(
    open_pit, profile, gate, mode
):
    pit = open_pit(two_workers(profile, mode))
    first, second = tie(pit, gate, "a", "b")
    row = row_of(pit, first)
    os.kill(first, signal.SIGKILL)
    pit.await_replacement(row)
    fault = pit.fails("ping", session="a")
    assert fault.err == "SESSION_LOST"
    assert lib.err_retryable(23)
    pid = pit.call("pid", session="a")
    assert {pit.call("pid", session="a") for _ in range(20)} == {pid}
    assert pit.call("pid", session="b") == second


@pytest.mark.parametrize("mode", STRICT)
def test_a_session_whose_call_died_is_tied_anew(open_pit, profile, gate, mode):
    pit = open_pit(two_workers(profile, mode))
    first, _ = tie(pit, gate, "a", "b")
    row = row_of(pit, first)
    assert pit.fails("die", session="a").err == "WORKER_DIED"
    pit.await_replacement(row)
    assert pit.call("ping", session="a") == "pong"


def test_calls_that_wait_for_a_worker_fail_with_it(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "strict_queue"))
    first, _second = tie(pit, gate, "a", "b")
    row = row_of(pit, first)
    held = Held(pit, gate, "a")
    waiting = [pit.submit("ping", session="a") for _ in range(5)]
    eventually(lambda: pit.stats().waiting == 5, "they wait")
    os.kill(first, signal.SIGKILL)
    assert held.calls[0].wait().err == "WORKER_DIED"
    assert {call.wait().err for call in waiting} == {"SESSION_LOST"}
    assert pit.call("ping", session="a") == "pong"
    pit.await_replacement(row)


# ---- Values --------------------------------------------------------------------------

VALUES = {
    "nothing": None,
    "flag": True,
    "number": -(2**40),
    "large": 2**64 - 1,
    "real": 1.5,
    "text": "é\0",
    "bytes": b"\0\xff" * 100,
    "nested": {"rows": [1, [2, {"x": None}]], "": []},
    "long": "x" * 100_000,
}


def test_values_come_back_as_they_were(open_pit):
    pit = open_pit(pool())
    for key, value in VALUES.items():
        pit.put("a", key, value)
    assert {key: pit.get("a", key) for key in VALUES} == VALUES
    assert type(pit.get("a", "flag")) is bool
    assert pit.keys("a") == list(VALUES)
    assert pit.delete("a", "text") == "OK"
    assert pit.delete("a", "text") == "NOT_FOUND"
    assert pit.keys("a") == [key for key in VALUES if key != "text"]


def test_values_outlive_all_workers(open_pit, profile):
    pit = open_pit(pool(profile))
    pit.put("a", "x", [1, 2])
    pit.kill_workers()
    assert pit.get("a", "x") == [1, 2]


def test_what_is_not_there_is_named(open_pit):
    pit = open_pit(pool())
    pit.put("a", "x", 1)
    missing = {
        ("a", "y"): 'session "a" has no value "y"',
        ("b", "x"): 'there is no session "b"',
    }
    for (session, key), message in missing.items():
        with pytest.raises(CallFailed) as failed:
            pit.get(session, key)
        assert failed.value.err == "NOT_FOUND"
        assert failed.value.fault.message == message
        assert pit.delete(session, key) == "NOT_FOUND"
    with pytest.raises(CallFailed, match='no session "b"'):
        pit.keys("b")
    assert pit.end_session("b") == "NOT_FOUND"


def test_names_and_keys_have_1_to_255_bytes(open_pit):
    pit = open_pit(pool())
    for session, key in (("", "x"), ("a", ""), ("a" * 256, "x"), ("a", "é" * 128)):
        with pytest.raises(Refused, match="INVALID_ARGUMENT"):
            pit.put(session, key, 1)
        with pytest.raises(CallFailed, match="1 to 255"):
            pit.get(session, key)
        assert pit.delete(session, key) == "INVALID_ARGUMENT"
    pit.put("a" * 255, "é" * 127, 1)
    assert pit.get("a" * 255, "é" * 127) == 1


def test_a_value_holds_no_tensors_and_is_one_value(open_pit):
    pit = open_pit(pool())
    with pytest.raises(Refused, match=r"UNSERIALISABLE.*write its bytes"):
        pit.put("a", "x", {"array": numpy.ones(3)})
    with Writer() as writer:
        err = lib.session_put(pit.handle, b"a", b"x", writer.handle, None)
    assert err == 16  # MALFORMED: nothing was written
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT.*the value: ") as refused:
        pit.put("a", "x", {"rows": {(1, 2): 3}})
    assert "rows" in refused.value.why
    assert lib.session_put(pit.handle, b"a", b"x", None, None) == 1
    assert lib.session_put(None, b"a", b"x", None, None) == 1


def test_a_session_holds_no_more_than_its_quota(open_pit):
    pit = open_pit(pool(), session_quota="16KiB")
    pit.put("a", "x", "old")
    with pytest.raises(Refused, match=r"QUOTA_EXCEEDED.* 20003 bytes .* 16384 at most"):
        pit.put("a", "x", "n" * 20_000)
    assert pit.get("a", "x") == "old"
    pit.put("a", "y", "n" * 10_000)
    with pytest.raises(Refused, match="QUOTA_EXCEEDED"):
        pit.put("a", "z", "n" * 10_000)
    pit.put("b", "z", "n" * 10_000)
    assert not pit.ended_sessions


def test_a_value_may_expire_before_its_session(open_pit):
    pit = open_pit(pool())
    pit.put("a", "x", 1, ttl_ms=20)
    pit.put("a", "y", 2)
    eventually(lambda: pit.keys("a") == ["y"], "the value expires")


# ---- Ends ----------------------------------------------------------------------------


def test_a_session_expires_without_anybody_asking(open_pit, profile):
    pit = open_pit(pool(profile), session_ttl_ms=50)
    pit.call("ping", session="a")
    pit.put("b", "x", 1)
    eventually(lambda: len(pit.ended_sessions) == 2, "both expire")
    assert sorted(pit.ended_sessions) == [("a", "expired"), ("b", "expired")]
    with pytest.raises(CallFailed):
        pit.get("b", "x")


def test_a_session_lives_as_long_as_its_calls(open_pit, profile, gate):
    pit = open_pit(pool(profile), session_ttl_ms=50)
    held = Held(pit, gate, "a")
    pit.put("a", "x", 1)
    for name in "bcd":  # more than its time to live goes by
        pit.put(name, "x", 1)
        eventually(lambda name=name: (name, "expired") in pit.ended_sessions)
    assert pit.get("a", "x") == 1
    held.release()
    eventually(lambda: ("a", "expired") in pit.ended_sessions)


def test_a_closed_session_is_tied_anew(open_pit, profile, gate):
    pit = open_pit(two_workers(profile, "strict_fail_fast"))
    _first, second = tie(pit, gate, "a", "b")
    pit.put("a", "x", 1)
    held = Held(pit, gate, "a")
    assert pit.fails("ping", session="a").err == "WORKER_BUSY"
    assert pit.end_session("a") == "OK"
    assert pit.call("pid", session="a") == second
    with pytest.raises(CallFailed):
        pit.get("a", "x")
    held.release()
    pit.has_ended(("a", "closed"))


def test_a_session_too_many_ends_one_without_values(open_pit):
    pit = open_pit(pool(), max_sessions=3)
    pit.put("kept", "x", 1)
    for name in "abc":
        pit.call("ping", session=name)
    pit.has_ended(("a", "evicted"))
    assert pit.get("kept", "x") == 1


def test_sessions_make_room_for_the_bytes_of_others(open_pit):
    pit = open_pit(pool(), session_memory="64KiB", session_quota="32KiB")
    for name in "abc":
        pit.put(name, "x", "x" * 30_000)
    pit.has_ended(("a", "evicted"))
    assert pit.keys("b") == pit.keys("c") == ["x"]


@pytest.mark.own_pit("sessions of a daemon go on when its client closes")
def test_closing_the_pit_ends_what_is_left(open_pit):
    pit = open_pit(pool())
    pit.put("a", "x", 1)
    pit.call("ping", session="b")
    pit.close()
    assert sorted(pit.ended_sessions) == [("a", "pit closed"), ("b", "pit closed")]


def test_a_call_without_a_session_begins_none(open_pit):
    pit = open_pit(pool())
    pit.call("ping")
    pit.call("ping", session="")
    pit.close()
    assert not pit.ended_sessions


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.own_pit("it measures the memory of the process that has the sessions")
def test_lesson_32_a_million_session_names_leave_memory_flat(open_pit):
    pit = open_pit(pool("thread", affinity="strict_queue"), max_sessions=1000)
    ended = 0

    def use(names):
        nonlocal ended
        with Writer("value") as writer:
            for name in names:
                if name % 20 == 0:
                    pit.answer("ping", session=str(name)).free()
                    ended += len(pit.ended_sessions)
                    pit.ended_sessions.clear()  # or the test's own memory would grow
                else:
                    session = b"%d" % name
                    assert not lib.session_put(
                        pit.handle, session, b"x", writer.handle, None
                    )

    use(range(20_000))
    before = resident()
    use(range(20_000, 1_020_001))
    assert resident() - before < 4 * MIB
    assert ended == 1_020_001 - 1000
    assert pit.get("1019999", "x") == "value"
