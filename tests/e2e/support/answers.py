# SPDX-License-Identifier: MIT
"""What crosses the public API in the tests: arguments, answers, streams and faults."""

from __future__ import annotations

import ctypes
import dataclasses
import sys
from ctypes import byref
from typing import TYPE_CHECKING, Any, Callable

from . import library as raw
from .library import err_name, lib

if TYPE_CHECKING:
    import numpy

    from .pit import Pit

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
    15: "bfloat16",
}
DTYPE_NUMBERS = {name: number for number, name in DTYPES.items()}


class Refused(Exception):
    """A function of the library returned an error."""

    def __init__(self, err: int, why: str = "") -> None:
        super().__init__(f"{err_name(err)}: {why}")
        self.err = err_name(err)
        self.why = why


STOPS = ("NONE", "IN_LINE", "UNSTARTED", "COOPERATIVE", "EXCEPTION", "KILLED")


@dataclasses.dataclass(frozen=True)
class Stop:
    """A copy of a snakepit_stop_info."""

    stop: str
    tool_runs: bool
    after: float  # seconds


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
    crash_stack: str
    late_stack: str
    worker: int
    stop: str
    tool_runs: bool
    late_ms: int

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
                "crash_stack",
                "late_stack",
            )
        }
        return cls(
            err=err_name(fault.err),
            worker=fault.worker,
            stop=STOPS[fault.stop],
            tool_runs=fault.tool_runs,
            late_ms=fault.late_ms,
            **texts,
        )


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
    """Describes an array where it lies; it must outlive the struct. Its strides must
    not all be zero, as those of one number that stands for all.
    """
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
        why = raw.Message()
        err = lib.tensor_new(
            pit.handle, name, byref(self.struct), byref(data), byref(why)
        )
        if err:
            raise Refused(err, why.text.decode("utf-8", "replace"))
        self.address = data.value
        self.array = _array_at(self.struct)

    def free(self) -> None:
        del self.array
        lib.tensor_free(self.pit.handle, byref(self.struct))


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _array_at(struct: raw.Tensor) -> numpy.ndarray:
    # Late, for hosts start often and seldom have arrays; the tests have them early.
    import ml_dtypes  # noqa: F401 - by it NumPy knows bfloat16
    import numpy

    dtype = numpy.dtype(DTYPES[struct.dtype])
    shape = tuple(struct.shape[index] for index in range(struct.rank))
    count = int(numpy.prod(shape, dtype=numpy.int64))
    if count == 0:
        return numpy.empty(shape, dtype)
    room = (ctypes.c_uint8 * (count * dtype.itemsize)).from_address(struct.data)
    return numpy.frombuffer(room, dtype=dtype).reshape(shape)


class Pairs(list):
    """The pairs of a map, whose keys may be ones that a dict would take for one."""


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
        if isinstance(value, str):
            self._text(value.encode())
        elif value is None:
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
        if isinstance(value, RawText):
            self._text(value.data)
        elif isinstance(value, bytes):
            lib.writer_bytes(self.handle, value, len(value))
        elif isinstance(value, SharedTensor):
            lib.writer_tensor(self.handle, byref(value.struct))
        elif _is_array(value):
            self.kept.append(value)
            lib.writer_tensor(self.handle, byref(tensor_struct(value)))
        else:
            self._put_container(value)

    def _text(self, data: bytes) -> None:
        lib.writer_strn(self.handle, data, len(data))

    def _put_container(self, value: Any) -> None:
        if isinstance(value, (dict, Pairs)):
            pairs = value.items() if isinstance(value, dict) else value
            lib.writer_map(self.handle, len(value))
            for key, item in pairs:
                self.put(key)
                self.put(item)
        else:
            lib.writer_array(self.handle, len(value))
            for item in value:
                self.put(item)


def _read_map(held: Any, reader: raw.Reader, copy: bool) -> dict:
    count = held.count
    return {read_value(reader, copy): read_value(reader, copy) for _ in range(count)}


def _read_tensor(held: Any, _reader: raw.Reader, copy: bool) -> numpy.ndarray:
    return _array_at(held.tensor).copy() if copy else _array_at(held.tensor)


def _bytes_of(held: Any) -> bytes:
    span = held.bytes
    return ctypes.string_at(span.data, span.size)


# By the kind of a value.
READ: tuple[Callable[[Any, raw.Reader, bool], Any], ...] = (
    lambda held, reader, copy: None,
    lambda held, reader, copy: held.boolean,
    lambda held, reader, copy: held.integer,
    lambda held, reader, copy: held.unsigned_integer,
    lambda held, reader, copy: held.real,
    lambda held, reader, copy: _bytes_of(held).decode(),
    lambda held, reader, copy: _bytes_of(held),
    lambda held, reader, copy: [read_value(reader, copy) for _ in range(held.count)],
    _read_map,
    _read_tensor,
    lambda held, reader, copy: Ext(_bytes_of(held)),
)


def read_value(reader: raw.Reader, copy: bool = True) -> Any:
    """The next value, with all it contains. Tensors are copied or point into the
    answer.
    """
    value = raw.Value()
    err = lib.reader_next(byref(reader), byref(value))
    if err:
        raise Refused(err)
    return READ[value.kind](value.as_, reader, copy)


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

    def stop(self) -> Stop:
        """What has become of a call that was given up; raises Refused."""
        info = raw.StopInfo(size=ctypes.sizeof(raw.StopInfo))
        err = lib.answer_get_stop(self.handle, byref(info))
        if err:
            raise Refused(err)
        return Stop(STOPS[info.stop], info.tool_runs, info.after_us / 1e6)

    @property
    def attempts(self) -> int:
        return lib.answer_attempts(self.handle)

    @property
    def retry_after_ms(self) -> int:
        return lib.answer_retry_after_ms(self.handle)

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

    def try_take(self) -> Any:
        """The next chunk, or None with `err` AGAIN or END; raises CallFailed."""
        reader = raw.Reader()
        self.err = err_name(lib.stream_try_next(self.handle, byref(reader)))
        if self.err in ("AGAIN", "END"):
            return None
        if self.err != "OK":
            raise CallFailed(self.fault)
        return read_value(reader)

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
