# SPDX-License-Identifier: MIT
"""A pit as the tests use it: dicts in, Python values out, failures as exceptions."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import re
import signal
import threading
from ctypes import byref
from typing import Any, Callable

from . import library as raw
from . import through
from .answers import (
    Answer,
    CallFailed,
    Fault,
    Refused,
    SharedTensor,
    Stream,
    Writer,
    read_value,
)
from .library import err_name, lib
from .processes import Process
from .waiting import eventually

SESSION_ENDS = ("closed", "expired", "evicted", "pit closed")
LEVELS = ("debug", "info", "warning", "error")
READY_MS = 120_000


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the log."""

    level: str
    event: str
    text: str


@dataclasses.dataclass(frozen=True)
class Event:
    """A copy of a snakepit_event."""

    name: str
    pool: str
    session_id: str
    correlation_id: str
    call: int
    worker: int
    time_ns: int
    dropped: int
    measurements: dict
    metadata: dict

    @classmethod
    def of(cls, event: raw.Event) -> Event:
        texts = ("name", "pool", "session_id", "correlation_id")
        numbers = ("call", "worker", "time_ns", "dropped")
        return cls(
            **{name: getattr(event, name).decode() for name in texts},
            **{name: getattr(event, name) for name in numbers},
            measurements=read_value(event.measurements),
            metadata=read_value(event.metadata),
        )


class Events(list):
    """What the callback was told. Where there is `held`, it waits for that."""

    held: threading.Event | None = None

    def append(self, event: Event) -> None:
        if self.held is not None:
            self.held.wait(60)
        super().append(event)


@dataclasses.dataclass(frozen=True)
class Notice:
    """A copy of a snakepit_notice: an event of the library's own."""

    name: str
    pool: str
    level: str
    time_ns: int
    fields: dict[str, Any]

    @classmethod
    def of(cls, notice: raw.Notice) -> Notice:
        kinds = ("text", "text", "unsigned_integer", "integer", "real", "boolean")
        fields = {}
        for field in notice.fields[: notice.field_count]:
            value = getattr(field.value, kinds[field.kind])
            value = value.decode() if isinstance(value, bytes) else value
            fields[field.name.decode()] = value
        name, pool = notice.name.decode(), notice.pool.decode()
        return cls(name, pool, LEVELS[notice.level], notice.time_ns, fields)


# Of all pits of the test that runs; the census reads it.
log_of_test: list[Line] = []


# What host tools of the test that runs wait for.
held_back: list[threading.Event] = []


# ---- Pits ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class WorkerInfo:
    """A copy of a snakepit_worker_info."""

    id: int
    pid: int
    state: str
    load: int
    capacity: int
    device: str | None
    stuck: int
    isolated: bool
    age_ms: int
    calls: int
    rss_bytes: int
    pss_bytes: int
    threads: int
    python: str | None

    @property
    def process(self) -> Process | None:
        return Process.of(self.pid)


@dataclasses.dataclass(frozen=True)
class ExecutorInfo:
    """A copy of a snakepit_executor_info."""

    worker: int
    executor: int
    state: str
    call: int
    running_us: int
    since_ms: int
    tool: str


@dataclasses.dataclass(frozen=True)
class BreakerInfo:
    """A copy of a snakepit_breaker_info."""

    tool: str
    state: str
    failures: int
    retry_after_ms: int


@dataclasses.dataclass(frozen=True)
class Health:
    """A copy of a snakepit_health."""

    status: str
    checks: int
    failures: int
    checked_ms: int
    consecutive_failures: int
    message: str


def call_options(
    pool: str | None,
    timeout_ms: int,
    session: str | None,
    idempotent: bool = False,
    priority: int = 0,
    trace: tuple[str | raw.TraceContext, ...] = (),
) -> raw.CallOptions:
    """`trace`: a traceparent, or its bytes, and a tracestate or not."""
    context = next((part for part in trace if isinstance(part, raw.TraceContext)), None)
    texts = [part.encode() for part in trace if isinstance(part, str)]
    if context is not None and len(texts) < 2:
        texts.insert(0, b"")
    return raw.CallOptions(
        size=ctypes.sizeof(raw.CallOptions),
        pool=pool.encode() if pool is not None else None,
        timeout_ms=timeout_ms,
        session_id=session.encode() if session is not None else None,
        idempotent=idempotent,
        priority=priority,
        traceparent=texts[0] if texts else None,
        tracestate=texts[1] if len(texts) > 1 else None,
        trace=ctypes.pointer(context) if context is not None else None,
    )


@dataclasses.dataclass(frozen=True)
class Span:
    """A copy of a snakepit_trace_span."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    err: str
    message: str
    state: str
    attributes: dict[str, Any]

    @classmethod
    def of(cls, told: raw.TraceSpan) -> Span:
        assert told.size == ctypes.sizeof(raw.TraceSpan)
        attributes = {}
        for i in range(told.attribute_count):
            one = told.attributes[i]
            values = (one.text and one.text.decode(), one.integer, one.real)
            value = bool(one.integer) if one.kind == 3 else values[one.kind]
            attributes[one.key.decode()] = value
        return cls(
            bytes(told.trace_id).hex(),
            bytes(told.span_id).hex(),
            bytes(told.parent_span_id).hex().replace("0" * 16, ""),
            told.name.decode(),
            told.kind,
            told.start_ns,
            told.end_ns,
            err_name(told.err),
            told.message.decode(),
            told.tracestate.decode(),
            attributes,
        )


class Submitted:
    """An asynchronous call: what its callback was told, and how often."""

    def __init__(self) -> None:
        self.times = 0
        self.ended = threading.Event()
        self.id = 0
        self.value: Any = None
        self.fault: Fault | None = None
        self.attempts = 0

    @property
    def err(self) -> str:
        return self.fault.err if self.fault else "OK"

    def wait(self, within: float = 60.0) -> Submitted:
        assert self.ended.wait(within), f"call {self.id} was not answered in {within} s"
        return self


class Queue:
    """A completion queue, to be freed."""

    def __init__(self, pit: Pit) -> None:
        self.handle = ctypes.c_void_p()
        why = raw.Message()
        err = lib.queue_new(pit.handle, byref(self.handle), byref(why))
        if err:
            raise Refused(err, why.text.decode())

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.free() == "OK"

    def fd(self) -> int:
        fd = ctypes.c_int(-1)
        err = lib.queue_fd(self.handle, byref(fd))
        if err:
            raise Refused(err)
        return fd.value

    def drain(self, timeout_ms: int = 0) -> int:
        return lib.queue_drain(self.handle, timeout_ms)

    def free(self) -> str:
        """OK, and then it is gone, or why not."""
        err = err_name(lib.queue_free(self.handle))
        if err == "OK":
            self.handle = ctypes.c_void_p()
        return err


class Pit:
    """One open snakepit. Every line of its log goes to `lines` and to `log_of_test`."""

    detail = "info"  # of the log, unless only warnings are wanted

    def __init__(self, handle: ctypes.c_void_p, kept: Any, lines: list[Line]) -> None:
        self.handle = handle
        self.kept = kept
        self.lines = lines
        self.behind: through.Behind | None = None
        self.submitted: list[Any] = []
        self.host_tools: list[tuple[str, str | None]] = []
        # Name and reason of each session that has ended.
        self.ended_sessions: list[tuple[str, str]] = []
        # What adapters emitted, of a pit that was opened with `listens`.
        self.events = Events()
        # What the library said itself, of a pit that was opened with `hears`.
        self.notices: list[Notice] = []

    # ---- Open and close

    @classmethod
    def open(
        cls,
        *pools: dict,
        text: str | None = None,
        listens: bool | None = False,
        logs: bool = True,
        hears: str | None = None,
        traces: bool = False,
        **top: Any,
    ) -> Pit:
        """Opens pools that are given as dicts, or YAML text.

        `hears` is the level from which on the library's own events are kept.

        `listens` to events; None: neither that nor more of a log than warnings. Without
        `logs` lines go where the library puts them by itself.
        """
        if through.ON and text is None:
            return cls.open_through(
                {**top, "pools": list(pools)}, listens, logs, hears, traces
            )
        yaml = (text or json.dumps({**top, "pools": list(pools)})).encode()
        return cls._open(
            lambda options, pit, why: lib.open_memory(
                yaml, len(yaml), options, pit, why
            ),
            listens,
            logs,
            hears,
            traces,
        )

    @classmethod
    def open_file(cls, path: str | os.PathLike[str], listens: bool = False) -> Pit:
        return cls._open(
            lambda options, pit, why: lib.open_file(
                os.fsencode(path), options, pit, why
            ),
            listens,
        )

    @classmethod
    def open_through(cls, config: dict, *how: Any) -> Pit:
        """The same pools, but those of a daemon."""
        behind = through.Behind(config, cls.detail)
        try:
            pit = cls._open(cls.connecting(behind.address), *how)
        except BaseException:
            behind.end()
            raise
        pit.behind = behind
        return pit

    @classmethod
    def connect(
        cls,
        address: str,
        timeout_ms: int = 0,
        reconnect: bool = False,
        shared_memory: int = 0,
        listens: bool = False,
    ) -> Pit:
        """Uses the pools of a daemon."""
        how = cls.connecting(address, timeout_ms, reconnect, shared_memory)
        return cls._open(how, listens)

    @staticmethod
    def connecting(
        address: str,
        timeout_ms: int = 0,
        reconnect: bool = False,
        shared_memory: int = 0,
    ) -> Callable[..., int]:
        """What opens such a pit."""

        def function(options: Any, pit: Any, why: Any) -> int:
            connecting = raw.ConnectOptions(
                size=ctypes.sizeof(raw.ConnectOptions),
                open=ctypes.cast(options, ctypes.POINTER(raw.OpenOptions)),
                timeout_ms=timeout_ms,
                reconnect=reconnect,
                shared_memory=shared_memory,
            )
            return lib.connect(address.encode(), byref(connecting), pit, why)

        return function

    @classmethod
    def _open(
        cls,
        function: Callable[..., int],
        listens: bool | None = False,
        logs: bool = True,
        hears: str | None = None,
        traces: bool = False,
    ) -> Pit:
        lines: list[Line] = []

        def log(_user: Any, level: int, event: bytes, line: bytes) -> None:
            made = Line(LEVELS[level], event.decode(), line.decode("utf-8", "replace"))
            lines.append(made)
            log_of_test.append(made)

        ended: list[tuple[str, str]] = []

        def session_ended(_user: Any, session: bytes, reason: int) -> None:
            ended.append((session.decode(), SESSION_ENDS[reason]))

        events = Events()

        def event(_user: Any, told: Any) -> None:
            assert told.contents.size == ctypes.sizeof(raw.Event)
            events.append(Event.of(told.contents))

        notices: list[Notice] = []

        def notice(_user: Any, told: Any) -> None:
            assert told.contents.size == ctypes.sizeof(raw.Notice)
            notices.append(Notice.of(told.contents))

        spans: list[Span] = []

        def take_spans(_user: Any, told: Any, count: int, _dropped: int) -> None:
            spans.extend(Span.of(told[i].contents) for i in range(count))

        options = raw.OpenOptions(
            size=ctypes.sizeof(raw.OpenOptions),
            log=raw.LogFunction(log) if logs else raw.LogFunction(),
            log_level=LEVELS.index("warning" if listens is None else cls.detail),
            session_ended=raw.EndedFunction(session_ended),
            event=raw.EventFunction(event) if listens else raw.EventFunction(),
            notice=raw.NoticeFunction(notice if hears else 0),
            notice_level=LEVELS.index(hears or "error"),
            spans=raw.SpansFunction(take_spans) if traces else raw.SpansFunction(),
        )
        handle = ctypes.c_void_p()
        why = raw.Message()
        err = function(byref(options), byref(handle), byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        pit = cls(handle, options, lines)
        pit.spans = spans
        pit.ended_sessions = ended
        pit.events = events
        pit.notices = notices
        return pit

    def __enter__(self) -> Pit:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Closes it when the test is over, also where that failed and left callers."""
        if self.handle is None:
            return
        handle, self.handle = self.handle, None  # threads that still call are refused
        rest = Pit(handle, self.kept, self.lines)
        eventually(rest.let_go, "all callers have left, so that their pit can close")
        lib.close(handle, 0)
        self.end_behind()

    def end_behind(self) -> None:
        """Ends the daemon whose pools it has used, if there is one."""
        behind, self.behind = self.behind, None
        if behind is not None:
            behind.end()

    def let_go(self) -> bool:
        """Ends what callers wait for; true once none is inside the library."""
        for event in held_back:
            event.set()
        if lib.inside > 0:
            for name in self.pool_names():
                for process in self.processes(name):
                    process.kill(signal.SIGKILL)
        return lib.inside == 0

    def close(self, grace_ms: int = 0) -> None:
        """Closes it, once."""
        handle, self.handle = self.handle, None
        if handle is not None:
            lib.close(handle, grace_ms)
        self.end_behind()

    def await_ready(self, pool: str | None = None, timeout_ms: int = READY_MS) -> Pit:
        why = raw.Message()
        name = pool.encode() if pool else None
        err = lib.await_ready(self.handle, name, timeout_ms, byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        return self

    def await_serving(self, pool: str | None = None, timeout_ms: int = READY_MS) -> Pit:
        """Until one worker of each pool takes calls."""
        why = raw.Message()
        name = pool.encode() if pool else None
        err = lib.await_serving(self.handle, name, timeout_ms, byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        return self

    def retry(self, pool: str | None = None) -> Pit:
        """Has what is missing started again."""
        why = raw.Message()
        name = pool.encode() if pool else None
        err = lib.pool_retry(self.handle, name, byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        return self

    def recycle(self, pool: str | None = None, worker: int | None = None) -> Pit:
        """Has one worker of a pool replaced, or all of them."""
        why = raw.Message()
        name = pool.encode() if pool else None
        if worker is None:
            err = lib.pool_recycle(self.handle, name, byref(why))
        else:
            err = lib.worker_recycle(self.handle, name, worker, byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        return self

    def start_seconds(self) -> list[float]:
        """What each worker that was ready has taken to start, in their order."""
        lines = self.logged("worker.started")
        return [int(re.search(r"start_ms=(\d+)", line)[1]) / 1000 for line in lines]

    def resize(self, workers: int, pool: str | None = None) -> Pit:
        """Gives a pool whose size is a range another number of workers."""
        why = raw.Message()
        name = pool.encode() if pool else None
        err = lib.pool_resize(self.handle, name, workers, byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        return self

    def reload(self, *pools: dict, grace_ms: int = 0, **top: Any) -> Pit:
        """Has the pit go on with other pools."""
        yaml = json.dumps({**top, "pools": list(pools)}).encode()
        return self._reload(
            lambda options, why: lib.reload_memory(
                self.handle, yaml, len(yaml), options, why
            ),
            grace_ms,
        )

    def reload_file(self, path: str | os.PathLike[str], grace_ms: int = 0) -> Pit:
        return self._reload(
            lambda options, why: lib.reload_file(
                self.handle, os.fsencode(path), options, why
            ),
            grace_ms,
        )

    def _reload(self, function: Callable[..., int], grace_ms: int) -> Pit:
        why = raw.Message()
        options = raw.ReloadOptions(
            size=ctypes.sizeof(raw.ReloadOptions), grace_ms=grace_ms
        )
        err = function(byref(options), byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        return self

    # ---- Calls

    def answer(
        self,
        tool: str,
        arguments: dict | None = None,
        pool: str | None = None,
        timeout_ms: int = 0,
        session: str | None = None,
        idempotent: bool = False,
        trace: tuple[str | raw.TraceContext, ...] = (),
    ) -> Answer:
        """Calls with MessagePack; free the answer."""
        options = call_options(pool, timeout_ms, session, idempotent, trace=trace)
        handle = ctypes.c_void_p()
        with Writer({} if arguments is None else arguments) as writer:
            err = lib.call(
                self.handle, tool.encode(), writer.handle, byref(options), byref(handle)
            )
        return Answer(err, handle)

    def tools(self, pool: str | None = None, timeout_ms: int = 0) -> Answer:
        """The table of a pool's tools; free the answer."""
        handle = ctypes.c_void_p()
        name = None if pool is None else pool.encode()
        err = lib.pool_tools(self.handle, name, timeout_ms, byref(handle))
        return Answer(err, handle)

    def call(self, tool: str, arguments: dict | None = None, **options: Any) -> Any:
        """The result of a call; raises CallFailed."""
        with self.answer(tool, arguments, **options) as answer:
            return answer.value()

    def fails(self, tool: str, arguments: dict | None = None, **options: Any) -> Fault:
        """The fault of a call that must fail."""
        with self.answer(tool, arguments, **options) as answer:
            assert answer.err != "OK", f"{tool} succeeded: {answer.value()!r}"
            assert answer.err == answer.fault.err
            return answer.fault

    def call_json(
        self, tool: str, text: str | bytes | None = None, **options: Any
    ) -> str | None:
        """The result of a call as JSON text; raises CallFailed."""
        options.setdefault("pool", None)
        options.setdefault("timeout_ms", 0)
        options.setdefault("session", None)
        handle = ctypes.c_void_p()
        data = text.encode() if isinstance(text, str) else text
        err = lib.call_json(
            self.handle,
            tool.encode(),
            data,
            byref(call_options(**options)),
            byref(handle),
        )
        with Answer(err, handle) as answer:
            if answer.err != "OK":
                raise CallFailed(answer.fault)
            return answer.json()

    def submit(
        self,
        tool: str,
        arguments: dict | None = None,
        pool: str | None = None,
        timeout_ms: int = 0,
        session: str | None = None,
        then: Callable[[Submitted], None] | None = None,
        queue: Queue | None = None,
        idempotent: bool = False,
        priority: int = 0,
        trace: tuple[str | raw.TraceContext, ...] = (),
    ) -> Submitted:
        """Hands a call over; raises Refused where that fails."""
        made = Submitted()

        def done(_user: Any, err: int, handle: int | None) -> None:
            with Answer(err, handle) as answer:
                made.times += 1
                made.attempts = answer.attempts
                if answer.err == "OK":
                    made.value = answer.value()
                else:
                    made.fault = answer.fault
            if then is not None:
                then(made)
            made.ended.set()

        callback = raw.DoneFunction(done)
        call = ctypes.c_uint64()
        why = raw.Message()
        options = call_options(pool, timeout_ms, session, idempotent, priority, trace)
        options.queue = queue.handle if queue else None
        options.why = ctypes.pointer(why)
        with Writer({} if arguments is None else arguments) as writer:
            err = lib.submit(
                self.handle,
                tool.encode(),
                writer.handle,
                byref(options),
                callback,
                None,
                byref(call),
            )
        if err:
            raise Refused(err, why.text.decode())
        self.submitted.append(callback)
        made.id = call.value
        return made

    def refusal(self, tool: str, **options: Any) -> str:
        """What a call that is submitted is refused with: at once, but by a daemon when
        it comes there.
        """
        try:
            return self.submit(tool, **options).wait().err
        except Refused as refused:
            assert self.behind is None
            return refused.err

    def stream(
        self,
        tool: str,
        arguments: dict | None = None,
        pool: str | None = None,
        timeout_ms: int = 0,
        session: str | None = None,
        queue: Queue | None = None,
        ready: Callable[[], None] | None = None,
        trace: tuple[str | raw.TraceContext, ...] = (),
    ) -> Stream:
        """Opens a stream; close it. With `ready` it reports."""
        options = call_options(pool, timeout_ms, session, trace=trace)
        options.queue = queue.handle if queue else None
        if ready is not None:
            options.ready = raw.ReadyFunction(lambda _user, _stream: ready())
            self.submitted.append(options.ready)
        handle = ctypes.c_void_p()
        with Writer({} if arguments is None else arguments) as writer:
            err = lib.stream_open(
                self.handle, tool.encode(), writer.handle, byref(options), byref(handle)
            )
        return Stream(err, handle)

    def each(
        self, each: Callable[[Any], bool], tool: str, arguments: dict | None = None
    ) -> Answer:
        """Hands the chunks of a stream to a callback; free the answer."""
        function = raw.ChunkFunction(
            lambda _user, reader: each(read_value(reader.contents))
        )
        options = call_options(None, 0, None)
        handle = ctypes.c_void_p()
        with Writer({} if arguments is None else arguments) as writer:
            err = lib.stream_each(
                self.handle,
                tool.encode(),
                writer.handle,
                byref(options),
                function,
                None,
                byref(handle),
            )
        return Answer(err, handle)

    def cancel(self, call: Submitted | int) -> str:
        number = call.id if isinstance(call, Submitted) else call
        return err_name(lib.cancel(self.handle, number))

    def completion_fd(self) -> int:
        fd = ctypes.c_int()
        err = lib.completion_fd(self.handle, byref(fd))
        if err:
            raise Refused(err)
        return fd.value

    def drain(self, timeout_ms: int = 0) -> int:
        return lib.drain(self.handle, timeout_ms)

    # ---- Sessions

    def put(self, session: str, key: str, value: Any, ttl_ms: int = 0) -> None:
        """Keeps a value of a session; raises Refused."""
        why = raw.Message()
        options = raw.PutOptions(ctypes.sizeof(raw.PutOptions), ttl_ms)
        options.why = ctypes.pointer(why)
        with Writer(value) as writer:
            err = lib.session_put(
                self.handle,
                session.encode(),
                key.encode(),
                writer.handle,
                byref(options),
            )
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))

    def get(self, session: str, key: str) -> Any:
        """A value of a session; raises CallFailed."""
        handle = ctypes.c_void_p()
        err = lib.session_get(
            self.handle, session.encode(), key.encode(), byref(handle)
        )
        with Answer(err, handle) as answer:
            return answer.value()

    def keys(self, session: str) -> list[str]:
        """The keys of a session; raises CallFailed."""
        handle = ctypes.c_void_p()
        err = lib.session_list(self.handle, session.encode(), byref(handle))
        with Answer(err, handle) as answer:
            return answer.value()

    def delete(self, session: str, key: str) -> str:
        """OK, or why not."""
        return err_name(lib.session_delete(self.handle, session.encode(), key.encode()))

    def end_session(self, session: str) -> str:
        """OK, or why not."""
        return err_name(lib.session_close(self.handle, session.encode()))

    def has_ended(self, *sessions: tuple[str, str]) -> None:
        """These sessions have ended by now; a daemon tells of that a moment later."""
        if self.behind is not None:
            eventually(lambda: len(self.ended_sessions) >= len(sessions), "their end")
        assert self.ended_sessions == list(sessions)

    # ---- What there is

    def stats(self, pool: str | None = None) -> Any:
        made = raw.PoolStats(size=ctypes.sizeof(raw.PoolStats))
        name = pool.encode() if pool else None
        err = lib.pool_get_stats(self.handle, name, byref(made))
        if err:
            raise Refused(err)
        return made

    def state(self, pool: str | None = None) -> str:
        return self.stats(pool).state.decode()

    def workers(self, pool: str | None = None) -> list[WorkerInfo]:
        name = pool.encode() if pool else None
        rows = (raw.WorkerInfo * 1000)()
        rows[0].size = ctypes.sizeof(raw.WorkerInfo)
        count = ctypes.c_size_t()
        err = lib.pool_workers(self.handle, name, rows, 1000, byref(count))
        if err:
            raise Refused(err)
        return [
            WorkerInfo(
                id=row.id,
                pid=row.pid,
                state=row.state.decode(),
                load=row.load,
                capacity=row.capacity,
                stuck=row.stuck,
                isolated=row.isolated,
                device=row.device.decode() if row.device else None,
                age_ms=row.age_ms,
                calls=row.calls,
                rss_bytes=row.rss_bytes,
                pss_bytes=row.pss_bytes,
                threads=row.threads,
                python=row.python.decode() if row.python else None,
            )
            for row in rows[: count.value]
        ]

    def executors(self, worker: int = 0, pool: str | None = None) -> list[ExecutorInfo]:
        """What the executors of a worker run, or those of all."""
        name = pool.encode() if pool else None
        rows = (raw.ExecutorInfo * 1000)()
        rows[0].size = ctypes.sizeof(raw.ExecutorInfo)
        count = ctypes.c_size_t()
        err = lib.worker_executors(self.handle, name, worker, rows, 1000, byref(count))
        if err:
            raise Refused(err)
        return [
            ExecutorInfo(
                worker=row.worker,
                executor=row.executor,
                state=row.state.decode(),
                call=row.call,
                running_us=row.running_us,
                since_ms=row.since_ms,
                tool=row.tool.decode(),
            )
            for row in rows[: count.value]
        ]

    def breakers(self, pool: str | None = None) -> list[BreakerInfo]:
        name = pool.encode() if pool else None
        rows = (raw.BreakerInfo * 100)()
        rows[0].size = ctypes.sizeof(raw.BreakerInfo)
        count = ctypes.c_size_t()
        err = lib.pool_breakers(self.handle, name, rows, 100, byref(count))
        if err:
            raise Refused(err)
        return [
            BreakerInfo(
                row.tool.decode(), row.state.decode(), row.failures, row.retry_after_ms
            )
            for row in rows[: count.value]
        ]

    def health(self, worker: int, pool: str | None = None) -> Health:
        """What the health checks of a worker say; raises Refused."""
        found = raw.Health(size=ctypes.sizeof(raw.Health))
        name = pool.encode() if pool else None
        err = lib.worker_health(self.handle, name, worker, byref(found))
        if err:
            raise Refused(err)
        return Health(
            found.status.decode(),
            found.checks,
            found.failures,
            found.checked_ms,
            found.consecutive_failures,
            found.message.decode(),
        )

    def processes(self, pool: str | None = None) -> set[Process]:
        """The worker processes that there are."""
        return {
            process
            for process in (row.process for row in self.workers(pool))
            if process
        }

    def await_replacement(
        self, *gone: WorkerInfo, pool: str | None = None, within: float = 60.0
    ) -> list[WorkerInfo]:
        """The workers once the pool is whole again without those in `gone`."""
        ids = {row.id for row in gone}

        def whole() -> bool:
            stats = self.stats(pool)
            rows = self.workers(pool)
            return (
                stats.state == b"ready"
                and stats.workers_ready == stats.workers == len(rows)
                and not ids & {row.id for row in rows}
            )

        eventually(whole, "the pool is whole again", within)
        return self.workers(pool)

    def kill_workers(
        self, number: int = signal.SIGKILL, pool: str | None = None
    ) -> list[WorkerInfo]:
        """Kills all workers and returns what they were replaced with."""
        gone = self.workers(pool)
        for row in gone:
            os.kill(row.pid, number)
        return self.await_replacement(*gone, pool=pool)

    def pool_names(self) -> list[str]:
        count = lib.pool_count(self.handle)
        names = [lib.pool_name(self.handle, index) for index in range(count)]
        return [name.decode() for name in names if name]  # a reload may be under way

    def tensor(self, dtype: str, shape: tuple, pool: str | None = None) -> SharedTensor:
        return SharedTensor(self, pool, dtype, shape)

    def flush_log(self) -> None:
        """Until all that was logged is in `lines`: a thread hands it on."""
        if self.handle:
            assert err_name(lib.flush_log(self.handle, 20_000)) == "OK"

    def logged(self, event: str) -> list[str]:
        """The lines of one event so far."""
        self.flush_log()
        behind = self.behind.logged(event) if self.behind else []
        return [line.text for line in list(self.lines) if line.event == event] + behind

    def await_line(self, event: str, *texts: str) -> None:
        """Until a line of the event has all the texts: output follows the answer."""
        eventually(
            lambda: any(
                all(text in line for text in texts)
                for logged in self.logged(event)
                for line in logged.splitlines()
            ),
            f"a line of {event} with {texts}",
        )
