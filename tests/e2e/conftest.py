# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests. Each test ends with a census."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
from collections.abc import Callable, Iterator

import ml_dtypes  # noqa: F401 - NumPy starts threads, which are no test's
import pytest
from support import Refused, through
from support import census as counting
from support import pit as pits_module
from support.configs import KINDS, default_python
from support.host import Host
from support.pit import Pit
from support.places import ADAPTERS
from support.processes import MARK, MARK_VALUE, marked
from support.served import Client, config, end, serve

# Inherited by all that these tests start.
os.environ[MARK] = MARK_VALUE
os.environ["PYTHONPATH"] = str(ADAPTERS)
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
# A pit takes the others for configuration.
OURS = ("SNAKEPIT_BUILD_DIR", "SNAKEPIT_PYTHON_SYSTEM", "SNAKEPIT_PYTHON_FT")
for name in list(os.environ):
    if name.startswith("SNAKEPIT_") and name not in OURS:
        del os.environ[name]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "errors_logged(*events): these events may be logged as errors"
    )
    config.addinivalue_line(
        "markers", "quiet: it measures, or counts what the machine has: it runs alone"
    )
    config.addinivalue_line(
        "markers", "own_pit(why): a daemon cannot take the place of the test's own pit"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Through the door of a daemon, what is about a pit of one's own has nothing to
    test.
    """
    for item in items if through.ON else []:
        marker = item.get_closest_marker("own_pit")
        if marker is not None:
            item.add_marker(pytest.mark.skip(reason=f"own pit: {marker.args[0]}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What there is before the first test is not looked at by the collections of each
    census.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A file whose tests are all quiet, or all not, has nothing to run, and passes."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not session.items:
        session.exitstatus = pytest.ExitCode.OK


# What adapters, asyncio and other libraries log, at whatever level.
WORDS_OF_ADAPTERS = (
    "worker.stdout",
    "worker.stderr",
    "template.stdout",
    "template.stderr",
)


class Before:
    """What there was before the test."""

    def __init__(self) -> None:
        self.take()

    def take(self) -> None:
        """What there is now stays when the test is over."""
        self.census = counting.Census.take()


@pytest.fixture(autouse=True)
def before(request: pytest.FixtureRequest) -> Iterator[Before]:
    """Fails the test if it leaves anything behind."""
    pits_module.log_of_test.clear()
    pits_module.held_back.clear()
    before = Before()
    yield before
    left = counting.settled_leaks(before.census)
    for process in marked() - before.census.processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)  # not into the next test's census
    marker = request.node.get_closest_marker("errors_logged")
    expected = (*WORDS_OF_ADAPTERS, *(marker.args if marker else ()))
    left += [
        f"an error in the log: {line.text}"
        for line in pits_module.log_of_test
        if line.level == "error" and line.event not in expected
    ]
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture
def opened() -> Iterator[list[Pit]]:
    """Pits that are closed at the end of the test, whatever happens."""
    pits: list[Pit] = []
    yield pits
    for pit in pits:
        pit.end()


@pytest.fixture
def open_pit(opened: list[Pit]):
    """Opens a pit of the given pools; `ready=False`: without waiting for it."""

    def open_one(*pools: dict, ready: bool = True, **top: object) -> Pit:
        pit = Pit.open(*pools, **top)
        opened.append(pit)
        return pit.await_ready() if ready else pit

    return open_one


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, Pit]]:
    """Pits by their pools, for the tests of one file."""
    pits: dict[str, Pit] = {}
    yield pits
    for pit in pits.values():
        pit.end()


@pytest.fixture
def shared_pit(shared: dict[str, Pit], before: Before) -> Iterator[Callable[..., Pit]]:
    """Gives a pit of the given pool that tests of the file share, where what they do
    leaves a pit as it was. It is the first thing that a test does.
    """
    given: dict[str, tuple[Pit, list]] = {}

    def give(pool: dict) -> Pit:
        key = json.dumps(pool, sort_keys=True)
        if key not in shared:
            shared[key] = opened_and_ready(pool)
            before.take()
        given[key] = shared[key], names_of_workers(shared[key])
        return shared[key]

    yield give
    for key, (pit, names) in given.items():
        if pit.stats().running or names_of_workers(pit) != names:
            shared.pop(key).end()  # the next test is not to suffer for this one


@pytest.fixture
def alone(shared: dict[str, Pit], before: Before) -> None:
    """Ends what tests of the file share: what such pits hold would be counted."""
    while shared:
        shared.popitem()[1].end()
    before.take()


def opened_and_ready(pool: dict) -> Pit:
    """A pit that is ready. Another is closed: its callbacks would go with it."""
    pit = Pit.open(pool)
    try:
        pit.await_ready()
        # The thread that calls back, and its descriptors, come with the first of these.
        pit.submit("no_such_tool").wait()
        return pit
    except Refused:
        pit.end()
        raise


def names_of_workers(pit: Pit) -> list[tuple[int, int]]:
    """Which workers it has now."""
    return [(row.id, row.pid) for row in pit.workers()]


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """Hosts that are killed at the end of the test, whatever happens."""
    started: list[Host] = []
    yield started
    for host in started:
        host.kill()
        host.reap()


@pytest.fixture
def start_host(hosts: list[Host]):
    """Starts a host in a process of its own."""

    def start(*pools: dict, **options: object) -> Host:
        host = Host(*pools, **options)
        hosts.append(host)
        return host

    return start


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a daemon that the tests of a file share, and whose worker they leave alive."""
    daemon = serve(config(tmp_path_factory.mktemp("daemon")))
    yield Client(daemon)
    end([daemon])


# What workers are like makes no difference to the door in front of them.
@pytest.fixture(params=KINDS[:1] if through.ON else KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of pool: profile and interpreter."""
    default_python(request.param)  # skips before the test has begun anything
    return request.param


@pytest.fixture(params=("process",) if through.ON else ("process", "thread"))
def profile(request: pytest.FixtureRequest) -> str:
    """Each profile, on the interpreter that it is meant for."""
    default_python(request.param)
    return request.param
