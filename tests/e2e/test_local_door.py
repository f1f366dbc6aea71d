# SPDX-License-Identifier: MIT
"""A process that uses the pools of a daemon on the same machine, through the C API."""

from __future__ import annotations

import os
import pathlib
import re
import select
import signal
import subprocess
from collections.abc import Iterator

import numpy
import pytest
from support.answers import Refused
from support.children import Child
from support.daemon import Daemon
from support.pit import Pit, Queue
from support.places import BUILD
from support.programs import build, skip_if_sanitized
from support.served import config, end, serve, serve_whole
from support.waiting import eventually


def address_in(folder: pathlib.Path) -> str:
    return f"unix:{folder}/local.sock"


def serve_local(folder: pathlib.Path, **keys) -> Daemon:
    """A daemon that also listens for processes of this machine."""
    listen = ["127.0.0.1:0", {"address": address_in(folder), "door": "local"}]
    return serve_whole(config(folder, {"listen": listen}, **keys))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Two workers, for all tests that leave them alone."""
    made = serve_local(tmp_path_factory.mktemp("local"), pool_size=2)
    yield made
    end([made])


@pytest.fixture()
def pit(daemon: Daemon, tmp_path: pathlib.Path) -> Iterator[Pit]:
    address = next(url for url in daemon.urls(2) if url.startswith("unix:"))
    with Pit.connect(address) as made:
        yield made


# ---- Calls ---------------------------------------------------------------------------


def test_a_call_returns_what_its_tool_did(pit: Pit) -> None:
    for i in range(100):
        assert pit.call("add", {"a": i, "b": 2}) == i + 2


def test_every_kind_of_value_crosses_both_ways(pit: Pit) -> None:
    values = {
        "none": None,
        "flag": True,
        "number": -(2**40),
        "large": 2**63 + 1,
        "real": 0.5,
        "text": "größer",
        "bytes": b"\x00\xff",
        "list": [1, [2, {"three": 3}]],
    }
    assert pit.call("echo", values) == values


def test_json_crosses_both_ways(pit: Pit) -> None:
    text = '{"a":[1,2.5,"x"]}'
    assert pit.call_json("echo", text) == text


def test_large_arguments_and_results_cross(pit: Pit) -> None:
    values = {"bytes": os.urandom(3_000_000), "list": list(range(10_000))}
    assert pit.call("echo", values) == values


@pytest.mark.parametrize("shape", [(), (0,), (3,), (1000, 1000)])
def test_arrays_cross_both_ways(pit: Pit, shape: tuple[int, ...]) -> None:
    array = numpy.random.default_rng(7).random(shape, numpy.float32)
    numpy.testing.assert_array_equal(pit.call("double", {"array": array}), array * 2)


def test_an_array_in_shared_memory_is_sent_as_it_is(pit: Pit) -> None:
    shared = pit.tensor("float32", (1000,))
    shared.array[:] = 1.5
    assert pit.call("double", {"array": shared.array}).sum() == 3000
    shared.free()


def test_a_failed_tool_says_what_it_has_raised(pit: Pit) -> None:
    fault = pit.fails("fail", {"message": "such a day"})
    assert fault.err == "TOOL_FAILED"
    assert (fault.type, fault.message) == ("ValueError", "such a day")
    assert "in fail" in fault.traceback
    assert fault.worker > 0


def test_what_is_not_there_is_told_as_in_the_process(pit: Pit) -> None:
    fault = pit.fails("ecko")
    assert fault.err == "UNKNOWN_TOOL"
    assert "echo" in fault.message
    assert pit.fails("add", {"a": 1}, pool="texts").err == "UNKNOWN_POOL"


def test_the_session_of_a_call_crosses(pit: Pit) -> None:
    assert pit.call("session", session="s-1") == "s-1"


def test_a_call_whose_time_is_up_says_where_it_was(
    pit: Pit, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "begun"
    fault = pit.fails("wait", {"path": str(path)}, timeout_ms=300)
    assert (fault.err, fault.stage) == ("DEADLINE_EXCEEDED", "running")
    eventually(lambda: path.read_text() == "ended", "its tool was stopped")


# ---- Submitted calls -----------------------------------------------------------------


def test_submitted_calls_are_reported_once_each(pit: Pit) -> None:
    calls = [pit.submit("add", {"a": i}) for i in range(500)]
    assert [call.wait().value for call in calls] == [i + 1 for i in range(500)]
    assert {call.times for call in calls} == {1}


def test_a_queue_can_be_polled(pit: Pit) -> None:
    with Queue(pit) as queue:
        calls = [pit.submit("add", {"a": i}, queue=queue) for i in range(300)]
        ran = 0
        while ran < len(calls):
            while (now := queue.drain()) > 0:
                ran += now
            if ran < len(calls):
                assert select.select([queue.fd()], [], [], 60)[0]
        assert [call.value for call in calls] == [i + 1 for i in range(300)]


def test_a_cancelled_call_ends_and_its_tool_is_told(
    pit: Pit, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "begun"
    call = pit.submit("wait", {"path": str(path)})
    eventually(path.exists, "its tool has begun")
    assert pit.cancel(call) == "OK"
    assert call.wait().err == "CANCELLED"
    eventually(lambda: path.read_text() == "ended", "its tool was stopped")


# ---- Streams -------------------------------------------------------------------------


def test_a_stream_gives_each_chunk_and_what_was_returned(pit: Pit) -> None:
    with pit.stream("count", {"n": 2000}) as stream:
        assert list(stream) == list(range(2000))
        assert stream.returned == 2000


def test_a_stream_with_large_chunks_crosses(pit: Pit) -> None:
    with pit.stream("lists", {"sizes": [10, 100_000, 3]}) as stream:
        assert [len(chunk) for chunk in stream] == [10, 100_000, 3]


def test_a_stream_that_fails_gives_what_came_before(pit: Pit) -> None:
    with pit.stream("count", {"n": 9, "fail_at": 3}) as stream:
        chunks, fault = stream.rest()
    assert (chunks, fault.err, fault.message) == ([0, 1, 2], "TOOL_FAILED", "no 3")


def test_a_reader_that_is_slow_holds_its_tool_up(
    pit: Pit, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "poured"
    with pit.stream("pour", {"path": str(path)}) as stream:
        for _ in range(20):
            assert len(next(stream)) == 65536
    eventually(lambda: pit.call("add", {"a": 1}) == 2, "the worker is free again")


# ---- Ends ----------------------------------------------------------------------------


def test_a_worker_that_dies_is_told_by_its_cause(tmp_path: pathlib.Path) -> None:
    daemon = serve_local(tmp_path)
    with Pit.connect(address_in(tmp_path)) as pit:
        fault = pit.fails("die")
        assert fault.err == "WORKER_DIED"
        assert "3" in fault.cause
        assert pit.call("add", {"a": 1}) == 2
    end([daemon])


def test_a_client_that_is_killed_leaves_its_calls_cancelled(
    daemon: Daemon, pit: Pit, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "begun"
    address = next(url for url in daemon.urls(2) if url.startswith("unix:"))

    def call_and_wait() -> None:
        with Pit.connect(address) as own:
            own.call("wait", {"path": str(path)})

    child = Child(call_and_wait)
    eventually(path.exists, "its tool has begun")
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    os.close(child.out)
    eventually(lambda: path.read_text() == "ended", "its tool was stopped")


def test_a_daemon_that_dies_ends_the_calls_of_its_clients(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "begun"
    daemon = serve_local(tmp_path)
    with Pit.connect(address_in(tmp_path)) as pit:
        call = pit.submit("wait", {"path": str(path)})
        eventually(path.exists, "its tool has begun")
        daemon.kill()
        assert call.wait().err == "DAEMON_LOST"
        refused = pit.fails("add", {"a": 1})
        assert refused.err == "DAEMON_LOST"
        assert "was not sent" in refused.message and "reconnect" in refused.message
    daemon.end()


def test_a_client_that_reconnects_goes_on_with_the_next_daemon(
    tmp_path: pathlib.Path,
) -> None:
    first = serve_local(tmp_path)
    with Pit.connect(address_in(tmp_path), reconnect=True) as pit:
        assert pit.call("add", {"a": 1}) == 2
        first.kill()
        call = pit.submit("add", {"a": 2}, timeout_ms=60_000)
        second = serve_local(tmp_path)
        assert call.wait().value in (3, None)
        assert pit.call("add", {"a": 3}, timeout_ms=60_000) == 4
    first.end()
    end([second])


def test_a_daemon_that_ends_leaves_its_calls_to_the_next_one(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "begun"
    first = serve_local(tmp_path)
    address = address_in(tmp_path)
    with Pit.connect(address, reconnect=True) as pit, Pit.connect(address) as other:
        assert pit.call("add", {"a": 1}) == 2
        runs = pit.submit("wait", {"path": str(path)}, timeout_ms=60_000)
        eventually(path.exists, "its tool has begun")
        first.signal(signal.SIGTERM)
        first.logged("serve.stopping")
        waits = pit.submit("add", {"a": 2}, timeout_ms=60_000)
        refused = other.fails("add", {"a": 1}, timeout_ms=60_000)
        assert refused.err == "DAEMON_LOST"
        assert "was not sent" in refused.message and "told to end" in refused.message
        second = serve_local(tmp_path)
        assert pit.fails("add", {"a": 1}, timeout_ms=100).err == "DEADLINE_EXCEEDED"
        pit.cancel(runs)
        assert runs.wait().err == "CANCELLED"
        assert waits.wait().value == 3
        assert pit.call("add", {"a": 3}, timeout_ms=60_000) == 4
    assert first.wait() == 0
    end([second])


def test_a_call_that_no_daemon_took_says_so(tmp_path: pathlib.Path) -> None:
    daemon = serve_local(tmp_path)
    address = address_in(tmp_path)
    with Pit.connect(address, reconnect=True) as pit:
        assert pit.call("add", {"a": 1}) == 2
        daemon.kill()
        refused = pit.fails("add", {"a": 1}, timeout_ms=500)
        assert (refused.err, refused.stage) == ("DEADLINE_EXCEEDED", "line")
        said = f'no daemon has taken calls at "{address}" for '
        assert refused.message.startswith(said), refused.message
    daemon.end()


# ---- The client library --------------------------------------------------------------


@pytest.mark.parametrize("library", ["snakepit", "snakepit-client"])
def test_a_program_in_c_uses_the_daemons_pools(
    daemon: Daemon, tmp_path: pathlib.Path, library: str
) -> None:
    skip_if_sanitized()
    address = next(url for url in daemon.urls(2) if url.startswith("unix:"))
    program = build("local_client", tmp_path, library=library)
    told = subprocess.run(
        [program, address], check=True, capture_output=True, text=True
    ).stdout
    assert told.splitlines() == ["3", "submitted 1000", "chunks 10", "closed"]


def test_the_client_library_needs_no_other_library_of_ours() -> None:
    library = BUILD / "lib" / "libsnakepit-client.so"
    told = subprocess.run(
        ["readelf", "-d", library], check=True, capture_output=True, text=True
    ).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", told)
    system = ("libc.", "libgcc_s.", "libm.", "libpthread.", "ld-linux", "libasan")
    assert needed
    assert [name for name in needed if not name.startswith(system)] == []


# ---- What is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "err", "remedy"),
    [
        ("unix:/nonexistent/x.sock", "UNREACHABLE", "snakepit serve"),
        ("127.0.0.1:8470", "INVALID_ARGUMENT", "unix:/PATH"),
        ("unix:" + "x" * 200, "INVALID_ARGUMENT", "107"),
    ],
)
def test_an_address_where_no_daemon_is_is_refused_with_the_remedy(
    address: str, err: str, remedy: str
) -> None:
    with pytest.raises(Refused) as refused:
        Pit.connect(address)
    assert refused.value.err == err
    assert remedy in refused.value.why


def test_another_door_says_so(tmp_path: pathlib.Path) -> None:
    listen = ["127.0.0.1:0", f"unix:{tmp_path}/http.sock"]
    daemon = serve(config(tmp_path, {"listen": listen}))
    with pytest.raises(Refused) as refused:
        Pit.connect(f"unix:{tmp_path}/http.sock")
    assert refused.value.err == "PROTOCOL"
    assert "door: local" in refused.value.why
    end([daemon])


# ---- What else there is --------------------------------------------------------------


def test_figures_and_workers_are_the_daemons(pit: Pit) -> None:
    before = pit.stats()
    assert pit.call("add", {"a": 1}) == 2
    assert pit.stats().calls == before.calls + 1
    assert (before.workers, before.name) == (2, b"text")
    workers = pit.workers()
    assert [worker.state for worker in workers] == ["READY", "READY"]
    assert pit.call("pid") in [worker.pid for worker in workers]
    assert len(pit.executors()) == 2
    assert pit.health(workers[0].id).status == "unknown"


def test_values_of_sessions_are_kept_in_the_daemon(pit: Pit) -> None:
    pit.put("s-2", "key", {"a": [1, 2]})
    assert pit.get("s-2", "key") == {"a": [1, 2]}
    assert pit.call("kept", {"key": "key"}, session="s-2") == {"a": [1, 2]}
    assert pit.keys("s-2") == ["key"]
    assert pit.delete("s-2", "key") == "OK"
    assert pit.end_session("s-2") == "OK"
    assert pit.end_session("s-2") == "NOT_FOUND"


def test_workers_are_replaced_when_a_client_asks(tmp_path: pathlib.Path) -> None:
    daemon = serve_local(tmp_path)
    with Pit.connect(address_in(tmp_path)) as pit:
        (before,) = pit.workers()
        pit.recycle()
        eventually(
            lambda: (
                [w.id for w in pit.workers()] not in ([], [before.id])
                and len(pit.workers()) == 1
            ),
            "its worker was replaced",
        )
        with pytest.raises(Refused) as refused:
            pit.recycle(worker=999_999)
    assert refused.value.err == "NOT_FOUND"
    assert "999999" in refused.value.why
    end([daemon])
