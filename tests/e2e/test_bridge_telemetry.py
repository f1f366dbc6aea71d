# SPDX-License-Identifier: MIT
"""Events of a daemon, as a host of the original hears them."""

from __future__ import annotations

import os
import pathlib
import queue
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.apart import apart, beside
from support.bridge_host import Host
from support.grpcs import needs_grpc, stubs
from support.served import Client, config, end, serve
from support.waiting import eventually

pytestmark = needs_grpc


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return stubs(tmp_path_factory.mktemp("stubs"), "snakepit_bridge.proto")


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[Any]:
    keys = {"compatibility": ["bridge"]}
    one = serve(config(tmp_path, keys, adapter="reports.Reports"))
    yield one
    end([one])


class Listening:
    """A host that listens, and says now and then what it wants to hear."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.controls: queue.Queue = queue.Queue()
        controls = iter(self.controls.get, None)
        self.stream = host.stub.StreamTelemetry(controls, timeout=300)
        self.toggle(True)
        assert self.stream.initial_metadata() is not None  # waits for them

    def toggle(self, enabled: bool) -> None:
        pb = self.host.pb
        self.want(toggle=pb.TelemetryToggle(enabled=enabled))

    def sample(self, rate: float, *patterns: str) -> None:
        pb = self.host.pb
        self.want(sampling=pb.TelemetrySampling(rate=rate, patterns=patterns))

    def filter(self, allow: tuple = (), deny: tuple = ()) -> None:
        pb = self.host.pb
        self.want(filter=pb.TelemetryFilter(allow=allow, deny=deny))

    def want(self, **control: Any) -> None:
        self.controls.put(self.host.pb.TelemetryControl(**control))

    def until(self, name: str) -> tuple[list[str], Any]:
        """The names of the events before the next one of that name, and that."""
        before = []
        for event in self.stream:
            if ".".join(event.event_parts) == name:
                return before, event
            before.append(".".join(event.event_parts))
        raise AssertionError(f"the stream ended without {name}, after {before[-20:]}")


@pytest.fixture
def listening(daemon: Any, made: pathlib.Path):
    """Makes a host that listens; for the process that calls."""
    url = daemon.urls()[0]
    return lambda: Listening(Host(url, made))


def name_of(event: Any) -> str:
    return ".".join(event.event_parts)


def values(event: Any) -> dict[str, Any]:
    return {
        key: getattr(value, value.WhichOneof("value"))
        for key, value in event.measurements.items()
    }


# ---- What is told --------------------------------------------------------------------


@apart
def test_a_host_hears_what_an_adapter_tells(listening):
    one = listening()
    before = time.time_ns()
    assert one.host.execute("one", name="tool.execution.stop", number=1.5).success
    _, event = one.until("tool.execution.stop")
    assert list(event.event_parts) == ["tool", "execution", "stop"]
    assert values(event) == {"number": 1.5}
    assert event.correlation_id == "c-1"
    assert before - 10**9 < event.timestamp_ns < time.time_ns() + 10**9
    metadata = dict(event.metadata)
    assert metadata["text"] == "snake" and metadata["flag"] == "true"
    assert metadata["none"] == "null" and metadata["list"] == '[1,"two",3.5]'
    assert metadata["pool"] == "text" and metadata["session"] == "s"
    assert int(metadata["worker"]) > 0 and int(metadata["call"]) > 0
    one.stream.cancel()


@pytest.fixture
def worker(daemon: Any) -> Any:
    """The one of the pool."""
    (one,) = Client(daemon).ask("GET", "/v1/pools/text")[1]["workers_now"]
    return one


@apart
def test_a_host_hears_of_the_lives_of_workers(listening, worker):
    one = listening()
    os.kill(worker["pid"], signal.SIGKILL)
    _, gone = one.until("worker.exit")
    assert gone.metadata["pid"] == str(worker["pid"])
    assert gone.metadata["signal"] == "9" and gone.metadata["level"] == "warning"
    assert gone.metadata["expected"] == "false" and values(gone) == {}
    _, started = one.until("worker.started")
    assert started.metadata["pool"] == "text"
    assert values(started)["start_ms"] >= 0
    one.stream.cancel()


@apart
def test_a_host_that_has_said_all_it_wants_goes_on_listening(listening):
    one = listening()
    one.controls.put(None)  # the end of what it sends
    assert one.host.execute("one", name="told.later").success
    one.until("told.later")
    one.stream.cancel()


# ---- What a host wants ---------------------------------------------------------------


def heard(one: Listening, *names: str) -> list[str]:
    """Which of the events of those names come, before one that always does."""
    for name in (*names, "the.end"):
        assert one.host.execute("one", name=name).success
    return [name for name in one.until("the.end")[0] if name in names]


def soon(one: Listening, wanted: list[str], *names: str) -> None:
    """What was asked for holds once the daemon has read it."""
    deadline = time.monotonic() + 60
    while heard(one, *names) != wanted:
        assert time.monotonic() < deadline, names


@apart
def test_a_filter_allows_and_denies_by_patterns(listening):
    one = listening()
    names = ("a.x", "a.y", "b.x")
    assert heard(one, *names) == list(names)
    one.filter(allow=("a.*", "the.*"), deny=("*.y",))
    soon(one, ["a.x"], *names)
    one.filter(deny=("?.x",))
    soon(one, ["a.y"], *names)
    one.filter()
    soon(one, list(names), *names)
    one.stream.cancel()


@apart
def test_a_sample_is_of_those_that_it_names(listening):
    one = listening()
    names = ("a.x", "b.x")
    one.sample(0, "a.*")
    soon(one, ["b.x"], *names)
    one.sample(1)
    soon(one, list(names), *names)
    one.sample(0.5, "a.*")
    soon(one, ["b.x"], *names)  # by chance, sooner or later
    soon(one, list(names), *names)
    one.stream.cancel()


@apart
def test_what_is_told_while_it_is_off_is_not_told_later(listening):
    one = listening()
    one.toggle(False)
    arrived: queue.Queue = queue.Queue()

    def read() -> None:
        for event in one.stream:
            arrived.put(name_of(event))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + 60
    silent = 0
    while silent < 3:  # in a row, since the daemon may still send
        assert one.host.execute("one", name="while.off").success
        try:
            arrived.get(timeout=1)
            silent = 0
        except queue.Empty:
            silent += 1
        assert time.monotonic() < deadline
    one.toggle(True)
    while True:
        assert one.host.execute("one", name="while.on").success
        try:
            assert arrived.get(timeout=1) == "while.on"
            break
        except queue.Empty:
            assert time.monotonic() < deadline
    one.stream.cancel()


@apart
def test_what_cannot_be_is_answered_with_one_status(listening):
    for want, says in (
        (lambda one: one.filter(allow=("a.[xy]",)), "and not ["),
        (lambda one: one.filter(deny=("a",) * 65), "at most 64"),
        (lambda one: one.filter(deny=("a" * 5000,)), "1,000 bytes"),
        (lambda one: one.sample(1.5), "from 0 to 1"),
        (lambda one: one.sample(float("nan")), "from 0 to 1"),
        (lambda one: one.want(), "one of toggle, sampling and filter"),
    ):
        one = listening()
        want(one)
        with pytest.raises(one.host.grpc.RpcError) as caught:
            for _ in one.stream:
                pass
        assert caught.value.code() == one.host.grpc.StatusCode.INVALID_ARGUMENT
        assert says in caught.value.details()
        one.controls.put(None)


# ---- Slow readers --------------------------------------------------------------------


def resident(pid: int) -> int:
    """Bytes."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


@apart
def test_a_host_that_does_not_read_is_told_how_many_it_has_lost(listening, daemon):
    one = listening()
    for _ in range(20):
        assert one.host.execute("many", count=200, bytes=800).success
    before = resident(daemon.popen.pid)
    for _ in range(60):
        assert one.host.execute("many", count=200, bytes=800).success
    assert resident(daemon.popen.pid) < before + (
        8 << 20
    )  # of some 20 MiB that were told
    lost = 0
    seen: set[str] = set()
    read = threading.Event()

    def tell() -> None:
        # The worker drops what finds no room behind so many, so once is not enough.
        while not read.wait(0.05):
            one.host.execute("one", name="the.last")

    teller = threading.Thread(target=tell)
    teller.start()
    for event in one.stream:
        seen.add(name_of(event))
        if name_of(event) == "telemetry.lost":
            lost += values(event)["count"]
        if name_of(event) == "the.last":
            break
    read.set()
    teller.join()
    assert lost > 0 and "report.many" in seen
    one.stream.cancel()


# ---- Its end -------------------------------------------------------------------------


def test_a_daemon_that_drains_ends_the_stream(listening, daemon, tmp_path):
    there = tmp_path / "there"

    def listen() -> None:
        one = listening()
        there.touch()
        with pytest.raises(one.host.grpc.RpcError) as caught:
            for _ in one.stream:
                pass
        assert caught.value.code() == one.host.grpc.StatusCode.UNAVAILABLE
        one.controls.put(None)

    with beside(listen):
        eventually(there.exists)
        assert daemon.stop() == 0
