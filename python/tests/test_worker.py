# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from snakepit_bridge import (
    StreamChunk,
    calling,
    configuration,
    exits,
    logs,
    resources,
    runtime,
    streaming,
    worker,
)
from snakepit_bridge.tools import TABLE_TOOL
from snakepit_bridge.worker import main

Write = Callable[[str, str], str]

ADAPTER = """
    import threading
    from snakepit_bridge import ThreadSafeAdapter, tool
    life = []

    class Lively(ThreadSafeAdapter):
        __thread_safe__ = True
        def __init__(self):
            super().__init__()
            life.append(("init", dict(self.config)))
        def initialize(self):
            life.append("initialize")
        def cleanup(self):
            life.append("cleanup")
        @tool(description="Who runs this")
        def who(self, x: int = 1):
            return threading.current_thread().name
"""


class FakeRuntime:
    """A host that calls one tool on each executor and then says stop."""

    def __init__(self, **settings: Any) -> None:
        self.settings = {
            "profile": "process",
            "executors": 1,
            "stop_grace_ms": 700,
            **settings,
        }
        self.grace = 0
        self.stages: list[str] = []
        self.tools: dict[str, Callable[..., Any]] = {}
        self.fallback: Any = None
        self.formatter: Any = None
        self.on_unserialisable = ""
        self.info: dict[str, Any] | None = None
        self.fault: tuple[str, str, str] | None = None
        self.answers: list[Any] = []
        self.barrier = threading.Barrier(int(self.settings["executors"]))

    def attach(self) -> dict[str, Any]:
        return self.settings

    def set_grace(self, ms: int) -> None:
        self.grace = ms

    def shorten_timeslice(self) -> None:
        pass

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def register(self, name: str, function: Callable[..., Any]) -> None:
        if name == TABLE_TOOL:
            self.table = function
        else:
            self.tools[name] = function

    def set_fallback(self, function: Any) -> None:
        self.fallback = function

    def set_formatter(self, function: Any) -> None:
        self.formatter = function

    def set_refusal(self, function: Any) -> None:
        self.refusal = function

    def set_hinter(self, function: Any) -> None:
        self.hinter = function

    def set_explainer(self, function: Any) -> None:
        self.explainer = function

    def set_finisher(self, function: Any) -> None:
        self.finisher = function

    def set_streams(self, opener: Any, chunk: type) -> None:
        self.streams = (opener, chunk)

    def set_tracer(self, module: str, function: Any) -> None:
        self.tracer = function

    def set_context(self, context: Any, renewal: Any) -> None:
        self.context = context
        self.renewal = renewal

    def set_on_unserialisable(self, choice: str) -> None:
        self.on_unserialisable = choice

    def set_tensors(self, choice: str, as_array: Any) -> None:
        self.tensors = (choice, as_array)

    def ready(self, info: dict[str, Any]) -> None:
        self.info = info

    def failed(self, type: str, message: str, traceback: str) -> None:
        self.fault = (type, message, traceback)

    def run(self, index: int) -> None:
        self.barrier.wait(10)
        for function in self.tools.values():
            self.answers.append(function())

    def current_call(self) -> None:
        return None

    def runs_call(self) -> bool:
        return False

    def greet(self) -> None:
        pass

    def leave_interrupts_to_host(self) -> None:
        pass

    def stop_at(self, number: int, exception: type[BaseException]) -> None:
        self.stopped_at = number

    def leave_requests(self) -> int:
        return 0

    def interrupt(self) -> None:
        pass

    def set_on_cancel(self, function: Any) -> None:
        self.on_cancel = function

    def shield(self) -> None:
        pass


@pytest.fixture(autouse=True)
def untouched_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(logs, "install", lambda: None)
    # The end of this process is pytest's: its exit handlers give its folder away.
    monkeypatch.setattr(exits, "finish", lambda: None)
    handlers = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield
    resources.forget()
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRuntime]:
    def install(**settings: Any) -> FakeRuntime:
        fake = FakeRuntime(**settings)
        monkeypatch.setattr(runtime, "native", fake)
        monkeypatch.setattr(runtime, "_attached", False)
        return fake

    return install


def test_a_process_worker_lives_its_life(host: Any, write_module: Write) -> None:
    write_module("lively", ADAPTER)
    fake = host(adapter="lively", adapter_config='{"a": 1}', adapter_args=["--x", "1"])
    assert main() == 0
    assert fake.answers == ["MainThread"]
    assert sys.modules["lively"].life == [("init", {"a": 1}), "initialize", "cleanup"]
    assert sys.argv[1:] == ["--x", "1"]
    assert fake.grace == 700
    assert fake.fault is None
    assert fake.fallback is None


def test_the_host_is_told_what_the_worker_is(host: Any, write_module: Write) -> None:
    write_module("lively", ADAPTER)
    fake = host(adapter="lively:Lively")
    main()
    assert fake.info["python"] == ".".join(map(str, sys.version_info[:3]))
    assert fake.info["implementation"] == "cpython"
    assert fake.info["adapter"] == "lively.Lively"
    assert fake.info["thread_safe"] is True
    assert fake.info["free_threaded"] is ("t" in sys.abiflags)
    assert fake.info["gil_enabled"] in (True, False)
    (who,) = fake.table()["tools"]
    assert (who["name"], who["description"]) == ("who", "Who runs this")
    assert who["parameters"]["properties"] == {"x": {"type": "integer", "default": 1}}


def test_a_thread_worker_runs_its_executors_on_named_threads(
    host: Any, write_module: Write
) -> None:
    write_module("lively", ADAPTER)
    fake = host(adapter="lively", profile="thread", executors=20)
    assert main() == 0
    assert sorted(fake.answers) == sorted(f"snakepit-executor-{i}" for i in range(20))
    assert sys.modules["lively"].life[-1] == "cleanup"
    assert configuration.current().executors == 20


def test_signal_handlers_run_while_threads_serve(
    host: Any, write_module: Write
) -> None:
    write_module("lively", ADAPTER)
    fake = host(adapter="lively", profile="thread", executors=2)
    handled = threading.Event()
    old = signal.signal(signal.SIGUSR1, lambda *_: handled.set())

    def run(index: int) -> None:
        fake.barrier.wait(10)
        if index == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
        assert handled.wait(10), "the main thread handled no signal"

    fake.run = run
    try:
        assert main() == 0
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert handled.is_set()


def test_a_lost_executor_ends_the_worker(host: Any, write_module: Write) -> None:
    write_module("lively", ADAPTER)
    fake = host(adapter="lively", profile="thread", executors=2)

    def run(index: int) -> None:
        if index == 0:
            raise MemoryError("lost")

    fake.run = run
    with pytest.raises(MemoryError, match="lost"):
        main()
    assert sys.modules["lively"].life[-1] == "cleanup"


@pytest.mark.parametrize(
    ("text", "kind", "needle"),
    [
        ("import no_such_library", "ModuleNotFoundError", "import no_such_library"),
        ("import sys; sys.exit(3)", "SystemExit", "sys.exit(3)"),
        ("x = 1", "snakepit_bridge.errors.AdapterError", "has no adapter class"),
        ("a b", "SyntaxError", "failing.py"),
    ],
)
def test_a_failed_import_is_reported(
    host: Any, write_module: Write, text: str, kind: str, needle: str
) -> None:
    write_module("failing", text)
    fake = host(adapter="failing")
    assert main() == 1
    assert fake.info is None
    assert fake.fault[0] == kind
    assert needle in fake.fault[1] + fake.fault[2]
    assert "importlib" not in fake.fault[2]
    assert "loader.py" not in fake.fault[2]


def test_a_failing_constructor_is_not_cleaned_up(
    host: Any, write_module: Write
) -> None:
    write_module(
        "failing",
        ADAPTER + "        def cleanup(self): life.append('cleaned')\n"
        "    Lively.__init__ = lambda self: 1 / 0\n",
    )
    fake = host(adapter="failing")
    assert main() == 1
    assert fake.fault[0] == "ZeroDivisionError"
    assert "1 / 0" in fake.fault[2]
    assert sys.modules["failing"].life == []


def test_a_failing_initialize_is_reported_and_cleaned_up(
    host: Any, write_module: Write
) -> None:
    write_module("failing", ADAPTER + "    Lively.initialize = lambda self: 1 / 0\n")
    fake = host(adapter="failing")
    assert main() == 1
    assert fake.fault[0] == "ZeroDivisionError"
    assert sys.modules["failing"].life[-1] == "cleanup"


def test_a_failing_cleanup_is_printed(
    host: Any, write_module: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write_module("failing", ADAPTER + "    Lively.cleanup = lambda self: 1 / 0\n")
    host(adapter="failing")
    assert main() == 0
    printed = capsys.readouterr().err
    assert "snakepit: cleanup of Lively" in printed
    assert "ZeroDivisionError" in printed


def test_the_thread_profile_asks_for_a_declaration(
    host: Any, write_module: Write
) -> None:
    write_module("undeclared", ADAPTER.replace("__thread_safe__ = True", ""))
    fake = host(adapter="undeclared", profile="thread")
    with pytest.warns(RuntimeWarning, match="does not declare thread safety"):
        assert main() == 0
    assert fake.info["thread_safe"] is None
    fake = host(adapter="undeclared", profile="thread", undeclared_adapter="refuse")
    assert main() == 1
    assert "does not declare thread safety" in fake.fault[1]


def test_the_formatter_and_the_fallback_are_installed(
    host: Any, write_module: Write
) -> None:
    write_module(
        "older",
        """
        class Older:
            def handle_request(self, request):
                return [request.command, request["args"]]
        """,
    )
    fake = host(adapter="older")
    assert main() == 0
    assert fake.fallback("go", {"a": 1}) == ["go", {"a": 1}]
    assert fake.formatter(ValueError("v"))[:2] == ("ValueError", "v")
    assert "its worker goes on" in fake.formatter(SystemExit(1))[1]
    assert fake.on_unserialisable == "error"
    assert fake.tensors == ("view", None)
    assert fake.finisher is calling.finished
    assert fake.streams == (streaming.driven, StreamChunk)


def test_what_becomes_of_odd_values_is_passed_on(
    host: Any, write_module: Write
) -> None:
    write_module("plain", ADAPTER)
    fake = host(adapter="plain", on_unserialisable="marker")
    assert main() == 0
    assert fake.on_unserialisable == "marker"


def test_paths_of_the_configuration_come_behind_pythons_own(
    host: Any, write_module: Write, tmp_path: Path
) -> None:
    (tmp_path / "beside").mkdir()
    write_module("beside.lonely", ADAPTER)
    host(adapter="lonely", paths=[str(tmp_path / "beside")])
    assert main() == 0
    library = os.path.dirname(os.__file__)
    assert library in sys.path[: sys.path.index(str(tmp_path / "beside"))]


def test_started_by_hand_it_says_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakepit_bridge.worker"],
        cwd=Path(worker.__file__).parent.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("snakepit_bridge.worker: ")
    assert "Traceback" not in done.stderr


def test_sigterm_ends_the_start_and_is_not_reported_as_its_failure(
    host: Any, write_module: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(worker, "end_by", ended.append)
    write_module(
        "stopped",
        ADAPTER + "    import os, signal\n"
        "    Lively.initialize = lambda self: os.kill(os.getpid(), signal.SIGTERM)\n",
    )
    fake = host(adapter="stopped")
    main()
    assert ended == [signal.SIGTERM]
    assert fake.fault is None
    assert fake.info is None
    assert sys.modules["stopped"].life[-1] == "cleanup"


def test_sigterm_is_left_to_an_adapter_that_handles_it(
    host: Any, write_module: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(worker, "end_by", ended.append)
    write_module(
        "deaf",
        ADAPTER + "    import os, signal\n"
        "    def start(self):\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    Lively.initialize = start\n",
    )
    fake = host(adapter="deaf")
    assert main() == 0
    assert ended == []
    assert fake.info is not None


def test_an_async_life_is_lived_on_one_loop(host: Any, write_module: Write) -> None:
    write_module(
        "flowing",
        """
        import asyncio
        from snakepit_bridge import BaseAdapter, tool
        life = []

        class Flowing(BaseAdapter):
            async def initialize(self):
                life.append(asyncio.get_running_loop())
            async def cleanup(self):
                life.append(asyncio.get_running_loop())
            @tool
            async def loop(self):
                life.append(asyncio.get_running_loop())
                return "ran"
        """,
    )
    fake = host(adapter="flowing")
    assert main() == 0
    assert fake.answers == ["ran"]
    first, second, third = sys.modules["flowing"].life
    assert first is second is third
    assert first.is_closed()
    assert fake.on_cancel is None


def test_resources_are_there_before_the_adapter_is(
    host: Any, write_module: Write, tmp_path: Path
) -> None:
    write_module(
        "loading",
        """
        from snakepit_bridge import BaseAdapter, tool
        class Loading(BaseAdapter):
            @classmethod
            def load_resource(cls, path, type):
                return [path, type]
            def __init__(self):
                self.found = dict(self.resources)
            @tool
            def report(self):
                return self.found
        """,
    )
    fake = host(
        adapter="loading",
        paths=[str(tmp_path)],
        preload_resources=[["m.bin", "model"], ["/abs", "data"]],
    )
    assert main() == 0
    assert fake.answers == [
        {"m.bin": [str(tmp_path / "m.bin"), "model"], "/abs": ["/abs", "data"]}
    ]
