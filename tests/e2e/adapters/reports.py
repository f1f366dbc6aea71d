# SPDX-License-Identifier: MIT
"""Adapters that say something of themselves while they work."""

from __future__ import annotations

import os
import signal
import threading
import time

from snakepit_bridge import ThreadSafeAdapter, telemetry, tool

VALUES = {
    "text": "snake",
    "none": None,
    "flag": True,
    "list": [1, "two", 3.5],
    "map": {"a": {"b": b"\x00\xff"}},
}


class Reports(ThreadSafeAdapter):
    """Emits as it is told."""

    __thread_safe__ = True

    def initialize(self) -> None:
        telemetry.emit("adapter.loaded", {"parts": 3})

    def cleanup(self) -> None:
        telemetry.emit("adapter.left", {"parts": 3})

    @tool
    def one(self, name: str = "report.one", number: float = 1) -> None:
        telemetry.emit(name, {"number": number}, VALUES, correlation_id="c-1")

    @tool
    def emit(self, name: str, measurements: dict, metadata: dict) -> None:
        telemetry.emit(name, measurements, metadata)

    @tool
    def many(self, count: int, bytes: int = 0) -> None:
        for index in range(count):
            telemetry.emit("report.many", {"index": index}, {"fill": "x" * bytes})

    @tool
    def many_on_threads(self, threads: int, count: int) -> None:
        started = [
            threading.Thread(target=self._many_of, args=(number, count))
            for number in range(threads)
        ]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()

    def _many_of(self, thread: int, count: int) -> None:
        for index in range(count):
            telemetry.emit("report.thread", {"thread": thread, "index": index})

    @tool
    def nested(self, fails: bool = False) -> str:
        with telemetry.span("outer", {"model": "small"}) as outer:
            with telemetry.span("inner"):
                telemetry.emit("within", {"bytes": 5})
            if fails:
                raise ValueError("no such model")
        return outer.correlation_id

    @tool
    async def awaited(self) -> None:
        import asyncio

        with telemetry.span("awaited"):
            await asyncio.gather(self._part(1), self._part(2))

    async def _part(self, number: int) -> None:
        import asyncio

        await asyncio.to_thread(telemetry.emit, "awaited.part", {"number": number})

    @tool
    def chunks(self):
        with telemetry.span("chunks"):
            yield from range(1000)

    @tool
    def spans_for_ever(self) -> None:
        while True:
            with telemetry.span("for.ever"):
                pass

    @tool
    def correlation(self) -> str:
        return telemetry.get_correlation_id()

    @tool
    def flood(self, seconds: float) -> int:
        count = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            telemetry.emit("flood", {"i": 1}, {"t": "xxxxx"})
            count += 1
        return count

    @tool
    def bad(self, kind: str) -> None:
        if kind == "name":
            telemetry.emit("")
        elif kind == "measurement":
            telemetry.emit("report.bad", {"size": "large"})
        elif kind == "metadata":
            telemetry.emit("report.bad", {}, {"thing": {"deep": object()}})
        elif kind == "correlation":
            telemetry.emit("report.bad", correlation_id=0)
        elif kind == "array":
            import numpy

            telemetry.emit("report.bad", {}, {"array": numpy.zeros(3)})
        else:
            telemetry.emit("report.bad", {}, {"text": "x" * 20_000})

    @tool
    def of_numpy(self) -> None:
        import numpy

        telemetry.emit(
            "report.numpy", {"mean": numpy.float32(2.5), "count": numpy.int64(3)}
        )

    @tool
    def dies(self) -> None:
        telemetry.emit("report.last", {"left": 0})
        os.kill(os.getpid(), signal.SIGKILL)

    @tool
    def forks(self) -> int:
        child = os.fork()
        if child == 0:
            telemetry.emit("report.child", {"number": 1})
            os._exit(0)
        _, status = os.waitpid(child, 0)
        telemetry.emit("report.parent", {"number": 1})
        return status
