# SPDX-License-Identifier: MIT
"""A pit as the tests use it: dicts in, Python values out, failures as exceptions."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import signal
import threading
from ctypes import byref
from typing import Any, Callable

import numpy

from . import library as raw
from .library import err_name, lib
from .processes import Process
from .waiting import eventually

SESSION_ENDS = ("closed", "expired", "evicted", "pit closed")
LEVELS = ("debug", "info", "warning", "error")
READY_MS = 30_000

DTYPES = {
    1: "bool",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "uint8",
    7: "uint16",
    8: "uint32",
    9: "uint64",
    10: "float16",
    11: "float32",
    12: "float64",
    13: "complex64",
    14: "complex128",
}
DTYPE_NUMBERS = {name: number for number, name in DTYPES.items()}


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the log."""

    level: str
    event: str
    text: str


# Of all pits of the test that runs; the census reads it.
log_of_test: list[Line] = []


class Refused(Exception):
    """A function of the library returned an error."""

    def __init__(self, err: int, why: str = "") -> None:
        super().__init__(f"{err_name(err)}: {why}")
        self.err = err_name(err)
        self.why = why


@dataclasses.dataclass(frozen=True)
class Fault:
    """A copy of a snakepit_fault."""

    err: str
    message: str
    type: str
    traceback: str
    stage: str
    cause: str
    last_output: str
    arguments: str
    worker: int

    @classmethod
    def of(cls, answer: int | None) -> Fault:
        fault = lib.answer_fault(answer).contents
        texts = {
            name: getattr(fault, name).decode("utf-8", "replace")
            for name in (
                "message",
                "type",
                "traceback",
                "stage",
                "cause",
                "last_output",
                "arguments",
            )
        }
        return cls(err=err_name(fault.err), worker=fault.worker, **texts)


class CallFailed(Exception):
    """A call came back with a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault}")
        self.fault = fault

    @property
    def err(self) -> str:
        return self.fault.err


# ---- Values --------------------------------------------------------------------------


class Ext:
    """What an unknown extension holds."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class RawText:
    """Text that is no UTF-8."""

    def __init__(self, data: bytes) -> None:
        self.data = data


def tensor_struct(array: numpy.ndarray) -> raw.Tensor:
    """Describes an array where it lies; it must outlive the struct."""
    made = raw.Tensor(
        data=array.ctypes.data, dtype=DTYPE_NUMBERS[array.dtype.name], rank=array.ndim
    )
    for index in range(array.ndim):
        made.shape[index] = array.shape[index]
        made.strides[index] = array.strides[index]
    return made


class SharedTensor:
    """A tensor in the memory that a pool shares with its workers."""

    def __init__(self, pit: Pit, pool: str | None, dtype: str, shape: tuple) -> None:
        self.pit = pit
        self.struct = raw.Tensor(dtype=DTYPE_NUMBERS[dtype], rank=len(shape))
        for index, extent in enumerate(shape):
            self.struct.shape[index] = extent
        data = ctypes.c_void_p()
        name = pool.encode() if pool else None
        err = lib.tensor_new(pit.handle, name, byref(self.struct), byref(data))
        if err:
            raise Refused(err)
        self.address = data.value
        self.array = _array_at(self.struct)

    def free(self) -> None:
        del self.array
        lib.tensor_free(self.pit.handle, byref(self.struct))


def _array_at(struct: raw.Tensor) -> numpy.ndarray:
    dtype = numpy.dtype(DTYPES[struct.dtype])
    shape = tuple(struct.shape[index] for index in range(struct.rank))
    count = int(numpy.prod(shape, dtype=numpy.int64))
    if count == 0:
        return numpy.empty(shape, dtype)
    room = (ctypes.c_uint8 * (count * dtype.itemsize)).from_address(struct.data)
    return numpy.frombuffer(room, dtype=dtype).reshape(shape)


class Writer:
    """MessagePack, piece by piece, from Python values."""

    def __init__(self, value: Any = ...) -> None:
        self.handle = lib.writer_new()
        self.kept: list[Any] = []
        if value is not ...:
            self.put(value)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        lib.writer_free(self.handle)

    @property
    def error(self) -> str:
        return err_name(lib.writer_error(self.handle))

    def put(self, value: Any) -> None:
        if value is None:
            lib.writer_nil(self.handle)
        elif isinstance(value, bool):
            lib.writer_bool(self.handle, value)
        elif isinstance(value, int):
            put = lib.writer_uint if value > 2**63 - 1 else lib.writer_int
            put(self.handle, value)
        elif isinstance(value, float):
            lib.writer_double(self.handle, value)
        else:
            self._put_long(value)

    def _put_long(self, value: Any) -> None:
        if isinstance(value, str):
            self._text(value.encode())
        elif isinstance(value, RawText):
            self._text(value.data)
        elif isinstance(value, bytes):
            lib.writer_bytes(self.handle, value, len(value))
        elif isinstance(value, SharedTensor):
            lib.writer_tensor(self.handle, byref(value.struct))
        elif isinstance(value, numpy.ndarray):
            self.kept.append(value)
            lib.writer_tensor(self.handle, byref(tensor_struct(value)))
        else:
            self._put_container(value)

    def _text(self, data: bytes) -> None:
        lib.writer_strn(self.handle, data, len(data))

    def _put_container(self, value: Any) -> None:
        if isinstance(value, dict):
            lib.writer_map(self.handle, len(value))
            for key, item in value.items():
                self.put(key)
                self.put(item)
        else:
            lib.writer_array(self.handle, len(value))
            for item in value:
                self.put(item)


def read_value(reader: raw.Reader, copy: bool = True) -> Any:
    """The next value, with all it contains. Tensors are copied or point into the
    answer.
    """
    value = raw.Value()
    err = lib.reader_next(byref(reader), byref(value))
    if err:
        raise Refused(err)
    held = value.as_
    span = held.bytes
    simple = {
        0: lambda: None,
        1: lambda: held.boolean,
        2: lambda: held.integer,
        3: lambda: held.unsigned_integer,
        4: lambda: held.real,
        5: lambda: ctypes.string_at(span.data, span.size).decode(),
        6: lambda: ctypes.string_at(span.data, span.size),
        7: lambda: [read_value(reader, copy) for _ in range(held.count)],
        8: lambda: {
            read_value(reader, copy): read_value(reader, copy)
            for _ in range(held.count)
        },
        9: lambda: _array_at(held.tensor).copy() if copy else _array_at(held.tensor),
        10: lambda: Ext(ctypes.string_at(span.data, span.size)),
    }
    return simple[value.kind]()


class Answer:
    """A snakepit_answer, to be freed."""

    def __init__(self, err: int, handle: int | None) -> None:
        self.err = err_name(err)
        self.handle = handle

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    @property
    def fault(self) -> Fault:
        return Fault.of(self.handle)

    def value(self, copy: bool = True) -> Any:
        """The result; raises CallFailed if there is none."""
        if self.err != "OK":
            raise CallFailed(self.fault)
        reader = raw.Reader()
        lib.answer_reader(self.handle, byref(reader))
        return read_value(reader, copy)

    def json(self) -> str | None:
        text = lib.answer_json(self.handle)
        return None if text is None else text.decode()

    def free(self) -> None:
        lib.answer_free(self.handle)
        self.handle = None


class Stream:
    """A snakepit_stream, to be closed. Iterating gives the chunks, then raises
    CallFailed if the call has failed.
    """

    def __init__(self, err: int, handle: ctypes.c_void_p) -> None:
        self.err = err_name(err)
        self.handle = handle

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Any:
        return self.take()

    def take(self, copy: bool = True) -> Any:
        """The next chunk; without `copy` its arrays are valid until the next one."""
        reader = raw.Reader()
        self.err = err_name(lib.stream_next(self.handle, byref(reader)))
        if self.err == "END":
            raise StopIteration
        if self.err != "OK":
            raise CallFailed(self.fault)
        return read_value(reader, copy)

    def rest(self) -> tuple[list[Any], Fault | None]:
        """The chunks that are left, and the fault that ends them, or None."""
        chunks = []
        try:
            for chunk in self:
                chunks.append(chunk)
        except CallFailed as failed:
            return chunks, failed.fault
        return chunks, None

    def json(self) -> str | None:
        text = lib.stream_json(self.handle)
        return None if text is None else text.decode()

    @property
    def id(self) -> int:
        return lib.stream_id(self.handle)

    @property
    def fault(self) -> Fault:
        return Fault.of(lib.stream_answer(self.handle))

    @property
    def is_over(self) -> bool:
        return lib.stream_answer(self.handle) is not None

    @property
    def returned(self) -> Any:
        """What the generator returned."""
        reader = raw.Reader()
        lib.answer_reader(lib.stream_answer(self.handle), byref(reader))
        return read_value(reader)

    def close(self) -> None:
        handle, self.handle = self.handle, None
        lib.stream_close(handle)


# ---- Pits ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class WorkerInfo:
    """A copy of a snakepit_worker_info."""

    id: int
    pid: int
    state: str
    load: int
    capacity: int

    @property
    def process(self) -> Process | None:
        return Process.of(self.pid)


def call_options(
    pool: str | None, timeout_ms: int, session: str | None
) -> raw.CallOptions:
    return raw.CallOptions(
        size=ctypes.sizeof(raw.CallOptions),
        pool=pool.encode() if pool is not None else None,
        timeout_ms=timeout_ms,
        session_id=session.encode() if session is not None else None,
    )


class Submitted:
    """An asynchronous call: what its callback was told, and how often."""

    def __init__(self) -> None:
        self.times = 0
        self.ended = threading.Event()
        self.id = 0
        self.value: Any = None
        self.fault: Fault | None = None

    @property
    def err(self) -> str:
        return self.fault.err if self.fault else "OK"

    def wait(self, within: float = 20.0) -> Submitted:
        assert self.ended.wait(within), f"call {self.id} was not answered in {within} s"
        return self


class Pit:
    """One open snakepit. Every line of its log goes to `lines` and to `log_of_test`."""

    def __init__(self, handle: ctypes.c_void_p, kept: Any, lines: list[Line]) -> None:
        self.handle = handle
        self.kept = kept
        self.lines = lines
        self.submitted: list[Any] = []
        # Name and reason of each session that has ended.
        self.ended_sessions: list[tuple[str, str]] = []

    # ---- Open and close

    @classmethod
    def open(cls, *pools: dict, text: str | None = None, **top: Any) -> Pit:
        """Opens pools that are given as dicts, or YAML text."""
        yaml = (text or json.dumps({**top, "pools": list(pools)})).encode()
        return cls._open(
            lambda options, pit, why: lib.open_memory(
                yaml, len(yaml), options, pit, why
            )
        )

    @classmethod
    def open_file(cls, path: str | os.PathLike[str]) -> Pit:
        return cls._open(
            lambda options, pit, why: lib.open_file(
                os.fsencode(path), options, pit, why
            )
        )

    @classmethod
    def _open(cls, function: Callable[..., int]) -> Pit:
        lines: list[Line] = []

        def log(_user: Any, level: int, event: bytes, line: bytes) -> None:
            made = Line(LEVELS[level], event.decode(), line.decode("utf-8", "replace"))
            lines.append(made)
            log_of_test.append(made)

        ended: list[tuple[str, str]] = []

        def session_ended(_user: Any, session: bytes, reason: int) -> None:
            ended.append((session.decode(), SESSION_ENDS[reason]))

        options = raw.OpenOptions(
            size=ctypes.sizeof(raw.OpenOptions),
            log=raw.LogFunction(log),
            log_level=1,
            session_ended=raw.EndedFunction(session_ended),
        )
        handle = ctypes.c_void_p()
        why = raw.Message()
        err = function(byref(options), byref(handle), byref(why))
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        pit = cls(handle, options, lines)
        pit.ended_sessions = ended
        return pit

    def __enter__(self) -> Pit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, grace_ms: int = 0) -> None:
        """Closes it, once."""
        handle, self.handle = self.handle, None
        if handle is not None:
            lib.close(handle, grace_ms)

    def await_ready(self, pool: str | None = None, timeout_ms: int = READY_MS) -> Pit:
        why = raw.Message()
        name = pool.encode() if pool else None
        err = lib.await_ready(self.handle, name, timeout_ms, byref(why))
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
    ) -> Answer:
        """Calls with MessagePack; free the answer."""
        options = call_options(pool, timeout_ms, session)
        handle = ctypes.c_void_p()
        with Writer({} if arguments is None else arguments) as writer:
            err = lib.call(
                self.handle, tool.encode(), writer.handle, byref(options), byref(handle)
            )
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
    ) -> Submitted:
        """Hands a call over; raises Refused where that fails."""
        made = Submitted()

        def done(_user: Any, err: int, handle: int | None) -> None:
            with Answer(err, handle) as answer:
                made.times += 1
                if answer.err == "OK":
                    made.value = answer.value()
                else:
                    made.fault = answer.fault
            if then is not None:
                then(made)
            made.ended.set()

        callback = raw.DoneFunction(done)
        call = ctypes.c_uint64()
        options = call_options(pool, timeout_ms, session)
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
            raise Refused(err)
        self.submitted.append(callback)
        made.id = call.value
        return made

    def stream(
        self,
        tool: str,
        arguments: dict | None = None,
        pool: str | None = None,
        timeout_ms: int = 0,
        session: str | None = None,
    ) -> Stream:
        """Opens a stream; close it."""
        options = call_options(pool, timeout_ms, session)
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
        with Writer(value) as writer:
            err = lib.session_put(
                self.handle, session.encode(), key.encode(), writer.handle, ttl_ms
            )
        if err:
            raise Refused(err)

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

    # ---- What there is

    def stats(self, pool: str | None = None) -> Any:
        made = raw.PoolStats()
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
        count = ctypes.c_size_t()
        err = lib.pool_workers(self.handle, name, rows, 1000, byref(count))
        if err:
            raise Refused(err)
        return [
            WorkerInfo(row.id, row.pid, row.state.decode(), row.load, row.capacity)
            for row in rows[: count.value]
        ]

    def processes(self, pool: str | None = None) -> set[Process]:
        """The worker processes that there are."""
        return {
            process
            for process in (row.process for row in self.workers(pool))
            if process
        }

    def await_replacement(
        self, *gone: WorkerInfo, pool: str | None = None, within: float = 15.0
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
        return [lib.pool_name(self.handle, index).decode() for index in range(count)]

    def tensor(self, dtype: str, shape: tuple, pool: str | None = None) -> SharedTensor:
        return SharedTensor(self, pool, dtype, shape)

    def logged(self, event: str) -> list[str]:
        """The lines of one event so far."""
        return [line.text for line in list(self.lines) if line.event == event]

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
