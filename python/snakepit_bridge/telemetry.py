# SPDX-License-Identifier: MIT
"""What an adapter says of itself while it works: events with numbers, for whoever
watches the host.

    from snakepit_bridge import telemetry

    telemetry.emit("cache.lookup", {"hits": 3, "misses": 1}, {"cache": "embeddings"})

    with telemetry.span("inference", {"model": "small"}):
        result = model.predict(data)

An event never holds up the tool: it is put into shared memory, and the host reads it
soon. If events come faster than the host reads them, some are dropped, and the host is
told how many. If nobody there wants events they go nowhere.

Everything here may be used on any thread, in coroutines, and outside of a call. Outside
of a worker events reach only `capture`, so that an adapter's own tests can look at
them.
"""

from __future__ import annotations

import os
import time
from contextvars import ContextVar

from . import late, runtime, traces
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import numbers
    import typing
    from collections import abc
    from collections.abc import Iterator, Mapping
    from contextlib import contextmanager
    from dataclasses import dataclass
    from types import TracebackType
    from typing import Any, NoReturn

    from . import standalone_values
else:
    from .late import contextmanager
    from .records import dataclass

    abc = late.Module("collections.abc")
    numbers = late.Module("numbers")
    standalone_values = late.Module("snakepit_bridge.standalone_values")
    typing = late.Module("typing")

__all__ = [
    "Event",
    "capture",
    "correlation",
    "emit",
    "get_correlation_id",
    "get_traceparent",
    "span",
]

NAME_BYTES = 255  # at most, of a name and of a correlation id
EVENT_BYTES = 16384  # at most, of a whole event as it crosses
ERROR_CHARACTERS = 500  # of an exception's text, in the event that ends a span


@dataclass(frozen=True)
class Event:
    """One event, as `capture` keeps it."""

    name: str
    measurements: dict[str, typing.Any]
    metadata: dict[str, typing.Any]
    correlation_id: str = ""
    session_id: str = ""
    call: int = 0  # the number of the call it belongs to; 0: none
    time_ns: int = 0  # when, in nanoseconds since 1970
    traceparent: str = ""  # of the span that it belongs to, or ends; empty: no trace
    parent_span_id: str = ""  # of the span that it ends; empty: it ends none


def emit(
    event: str,
    measurements: Mapping[str, float] | None = None,
    metadata: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
) -> None:
    """Says that `event` happened, a name with dots such as ``"cache.lookup"``.

    `measurements` are numbers, `metadata` whatever a session may keep: plain values, no
    arrays. `correlation_id` is that of the surrounding `span` or `correlation` if it is
    not given. The call and its session are added. Does not wait.

    Raises TypeError and ValueError for what is not an event, whether somebody listens
    or not: a name of 0 or more than 255 bytes, a measurement that is not a number,
    values that cannot cross, or more than 16 KiB of it all.
    """
    within = _correlation() if correlation_id is None else correlation_id
    _emit(event, measurements, metadata, within, get_traceparent())


def _emit(
    event: str,
    measurements: Mapping[str, float] | None,
    metadata: Mapping[str, Any] | None,
    correlation_id: str,
    traceparent: str,
    parent_span_id: str = "",
) -> None:
    name = _name("event", event)
    call = runtime.current_call()
    _hand_over(
        Event(
            name=name,
            measurements=_numbers(name, measurements),
            metadata=_mapping("metadata", metadata),
            correlation_id=_name("correlation_id", correlation_id, least=0),
            session_id=call.session_id if call is not None else "",
            call=call.id if call is not None else 0,
            time_ns=time.time_ns(),
            traceparent=traceparent,
            parent_span_id=parent_span_id,
        )
    )


# ---- Spans and correlation -----------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    """A span or correlation that was entered. Constant, so threads may share it."""

    owner: object
    correlation_id: str
    call: int  # in which it was entered
    began: int  # time.perf_counter_ns()
    outer: _Frame | None
    traceparent: str  # of the span; of a correlation the surrounding one; may be empty
    parent: str = ""  # of a span that belongs to a trace: the surrounding one
    before: object = None  # see traces.enter()


_innermost: ContextVar[_Frame | None] = ContextVar("snakepit_frame", default=None)


def _call_number() -> int:
    call = runtime.current_call()
    return 0 if call is None else call.id


def _frame_here() -> _Frame | None:
    """The frame around this code. One that another call has left behind, since it was
    cancelled where nothing can be cleaned up, is none.
    """
    frame = _innermost.get()
    return frame if frame is not None and frame.call == _call_number() else None


def _correlation() -> str:
    frame = _frame_here()
    return "" if frame is None else frame.correlation_id


def _enter(owner: object, correlation_id: str, spans: bool = False) -> _Frame:
    parent = get_traceparent()
    own, before = parent, None
    if spans and parent:
        own = traces.child_of(parent)
        before = traces.enter(own)
    frame = _Frame(
        owner,
        correlation_id,
        _call_number(),
        time.perf_counter_ns(),
        _frame_here(),
        own,
        parent if spans else "",
        before,
    )
    _innermost.set(frame)
    return frame


def _leave(owner: object) -> _Frame | None:
    """Ends the innermost frame of `owner`. None: this context does not know of it."""
    frame = _frame_here()
    while frame is not None and frame.owner is not owner:
        frame = frame.outer
    if frame is not None:
        _innermost.set(frame.outer)
        traces.leave(frame.before)
    return frame


class span:
    """Times what runs in it, as ``with telemetry.span("inference"): ...``.

    Emits ``NAME.start`` with ``system_time`` (nanoseconds since 1970), then either
    ``NAME.stop`` or, if an exception leaves it, ``NAME.exception`` with ``error_type``
    and ``error_message`` in its metadata; both with ``duration`` in nanoseconds. What
    is emitted within has the span's correlation id, a new one if there is none yet.

    It may be entered again, also within itself and on several threads. Its end raises
    nothing: the outcome is that of what ran in it.

    In a call that belongs to a trace it is a span of that, a child of what is around
    it.
    """

    def __init__(
        self,
        operation: str,
        metadata: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """As for `emit`; `operation` has at most 245 bytes."""
        self.operation = _name("operation", operation)
        _name("operation with its end", f"{self.operation}.exception")
        self.metadata = _mapping("metadata", metadata)
        self._chosen = _name("correlation_id", correlation_id or "", least=0)
        self._last: _Frame | None = None

    @property
    def correlation_id(self) -> str:
        """The id of what was emitted within it last; before, the one it was given."""
        return self._chosen if self._last is None else self._last.correlation_id

    def __enter__(self) -> span:
        """Emits the start."""
        chosen = self._chosen or _correlation() or _new_id()
        self._last = _enter(self, chosen, spans=True)
        try:
            emit(
                f"{self.operation}.start",
                {"system_time": time.time_ns()},
                self.metadata,
            )
        except BaseException:
            _leave(self)
            raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Emits the end. A generator that is closed early has come to its end."""
        now = time.perf_counter_ns()
        # Who closes an asynchronous generator may have a context of its own.
        frame = _leave(self) or self._last
        if frame is None:
            return
        measured = {"duration": now - frame.began}
        if error is None or isinstance(error, GeneratorExit):
            self._end("stop", measured, {}, frame)
        else:
            self._end("exception", measured, _described(error), frame)

    def _end(
        self,
        what: str,
        measured: Mapping[str, float],
        more: Mapping[str, str],
        frame: _Frame,
    ) -> None:
        name = f"{self.operation}.{what}"
        ends = frame.correlation_id, frame.traceparent, traces.span_of(frame.parent)
        try:
            _emit(name, measured, {**self.metadata, **more}, *ends)
        except Exception as error:
            # It was changed meanwhile, or is too large together with the exception.
            refused = {"refused_metadata": str(error)[:ERROR_CHARACTERS]}
            _emit(name, measured, {**more, **_texts(refused)}, *ends)


@contextmanager
def correlation(correlation_id: str | None = None) -> Iterator[str]:
    """Gives events emitted within an id by which they are found together.

    A new one if none is given, or an empty one. Raises ValueError over 255 bytes.
    """
    chosen = _name("correlation_id", correlation_id or _new_id())
    owner = object()
    _enter(owner, chosen)
    try:
        yield chosen
    finally:
        _leave(owner)


def get_correlation_id() -> str:
    """The id of the surrounding `span` or `correlation`; empty if there is none."""
    return _correlation()


def get_traceparent() -> str:
    """The trace and the span that this code runs in, as W3C Trace Context writes them.

    That of the surrounding `span`, or of OpenTelemetry's active one, or of the call;
    empty where the call belongs to no trace. For what the adapter calls over a network.
    """
    call = runtime.current_call()
    within = "" if call is None else call.traceparent
    if not within:
        return ""
    joined = traces.active(within)
    if joined:
        return joined
    frame = _frame_here()
    return within if frame is None else frame.traceparent or within


def _new_id() -> str:
    """A UUID of version 4 (RFC 4122), without its dashes."""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF000 << 64) | 0x4000 << 64  # the version
    number = number & ~(0xC000 << 48) | 0x8000 << 48  # the variant
    return f"{number:032x}"


def _described(error: BaseException) -> dict[str, str]:
    try:
        text = str(error)
    except Exception:
        text = ""
    return _texts({"error_type": type(error).__name__, "error_message": text})


def _texts(texts: dict[str, str]) -> dict[str, str]:
    """The texts, short enough and such that they can cross."""
    return {
        key: text[:ERROR_CHARACTERS].encode("utf-8", "replace").decode()
        for key, text in texts.items()
    }


# ---- For tests -----------------------------------------------------------------------

# Replaced, never changed: whoever goes through it keeps the one it began with.
_captures: tuple[list[Event], ...] = ()


@contextmanager
def capture() -> Iterator[list[Event]]:
    """Collects what is emitted within, on any thread, in the list that it gives.

    For tests of an adapter. Not on several threads at once.
    """
    global _captures
    events: list[Event] = []
    _captures = (*_captures, events)
    try:
        yield events
    finally:
        _captures = tuple(kept for kept in _captures if kept is not events)


# ---- Handing over --------------------------------------------------------------------


def _hand_over(event: Event) -> None:
    if runtime.is_attached():
        _tell_host(event)
    else:
        event = _as_heard(event)
    for events in _captures:
        events.append(event)


def _tell_host(event: Event) -> None:
    told = [
        event.name,
        event.call,
        event.session_id,
        event.correlation_id,
        event.time_ns,
        event.measurements,
        event.metadata,
    ]
    if event.traceparent:
        told += [event.traceparent, event.parent_span_id]
    try:
        runtime.native.emit(told)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        _refuse(event, error)


def _as_heard(event: Event) -> Event:
    """The event as a host would get it, and the same refusals."""
    try:
        measurements = standalone_values.told(event.measurements, "measurements")
        metadata = standalone_values.told(event.metadata, "metadata")
    except (TypeError, ValueError, OverflowError) as error:
        _refuse(event, error)
    if _least_size(measurements) + _least_size(metadata) > EVENT_BYTES:
        raise ValueError(
            f'event "{event.name}": it is too large (at most {EVENT_BYTES} bytes)'
        )
    return Event(**{**vars(event), "measurements": measurements, "metadata": metadata})


def _refuse(event: Event, error: Exception) -> NoReturn:
    kind = TypeError if isinstance(error, TypeError) else ValueError
    raise kind(f'event "{event.name}": {error}') from None


def _least_size(value: Any) -> int:
    """Bytes that a plain value takes at least."""
    if isinstance(value, str):
        return 1 + len(value)
    if isinstance(value, bytes):
        return 2 + len(value)
    if isinstance(value, list):
        return 1 + sum(map(_least_size, value))
    if isinstance(value, dict):
        pairs = value.items()
        return 1 + sum(_least_size(key) + _least_size(item) for key, item in pairs)
    return 1


# ---- Checking ------------------------------------------------------------------------


def _name(what: str, name: object, least: int = 1) -> str:
    # By the type, as below: a mock claims by `__class__` to be anything.
    if not issubclass(type(name), str):
        raise TypeError(f"{what} is a text, not {type(name).__name__}")
    plain = str.__str__(name)
    try:
        size = len(plain.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what} is no UTF-8: {plain[:40]!r}") from None
    if "\0" in plain:
        raise ValueError(f"{what} has no zero in it: {plain[:40]!r}")
    if not least <= size <= NAME_BYTES:
        raise ValueError(f"{what} has {least} to {NAME_BYTES} bytes: {plain[:40]!r}")
    return plain


def _numbers(event: str, measurements: Mapping[str, float] | None) -> dict[str, Any]:
    checked = _mapping("measurements", measurements)
    for key, value in checked.items():
        if type(value) in (int, float):
            continue
        if not issubclass(type(value), numbers.Real):
            raise TypeError(
                f'event "{event}": measurement "{key}" is a number, not '
                f"{type(value).__name__}; what is not a number goes into metadata"
            )
        is_whole = issubclass(type(value), numbers.Integral)
        checked[key] = int(value) if is_whole else float(value)
    return checked


def _mapping(what: str, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    if mapping is None:
        return {}
    if not issubclass(type(mapping), abc.Mapping):
        raise TypeError(f"{what} is a mapping, not {type(mapping).__name__}")
    values = dict(mapping)
    for key in values:
        if not isinstance(key, str):
            raise TypeError(f"keys of {what} are texts, not {type(key).__name__}")
    return values
