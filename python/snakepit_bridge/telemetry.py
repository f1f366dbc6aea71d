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

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from . import runtime

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Event", "capture", "correlation", "emit", "get_correlation_id", "span"]

NAME_BYTES = 255  # at most, of a name and of a correlation id
ERROR_CHARACTERS = 500  # of an exception's text, in the event that ends a span

_correlation: ContextVar[str] = ContextVar("snakepit_correlation", default="")


@dataclass(frozen=True)
class Event:
    """One event, as `capture` keeps it."""

    name: str
    measurements: dict[str, Any]
    metadata: dict[str, Any]
    correlation_id: str = ""
    session_id: str = ""
    call: int = 0  # the number of the call it belongs to; 0: none
    time_ns: int = 0  # when, in nanoseconds since 1970


def emit(
    event: str,
    measurements: Mapping[str, float] | None = None,
    metadata: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
) -> None:
    """Says that `event` happened, a name with dots such as ``"cache.lookup"``.

    `measurements` are numbers, `metadata` whatever a tool may return but for arrays.
    `correlation_id` is that of the surrounding `span` or `correlation` if it is not
    given. The call and its session are added. Does not wait.

    Raises TypeError and ValueError for what is no event: a name of 0 or more than 255
    bytes, a measurement that is no number, values that cannot cross, or more than 16
    KiB of it all.
    """
    _check_name("event", event)
    measured = _numbers(event, measurements)
    described = _texts_to_values("metadata", metadata)
    correlation = _correlation.get() if correlation_id is None else correlation_id
    if correlation:
        _check_name("correlation_id", correlation)
    if _captures or (runtime.is_attached() and runtime.native.events_wanted()):
        _hand_over(_stamped(event, measured, described, correlation))


class span:
    """Times what runs in it, as ``with telemetry.span("inference"): ...``.

    Emits ``NAME.start`` with ``system_time`` (nanoseconds since 1970), then either
    ``NAME.stop`` or, if an exception leaves it, ``NAME.exception`` with ``error_type``
    and ``error_message`` in its metadata; both with ``duration`` in nanoseconds. What
    is emitted within has the span's correlation id, a new one if there is none yet.
    """

    def __init__(
        self,
        operation: str,
        metadata: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """As for `emit`; `operation` has at most 245 bytes."""
        _check_name("operation", f"{operation}.exception")
        self.operation = operation
        self.metadata = _texts_to_values("metadata", metadata)
        self.correlation_id = correlation_id or _correlation.get() or _new_id()
        self._token: Token[str] | None = None
        self._began = 0

    def __enter__(self) -> span:
        """Emits the start."""
        self._token = _correlation.set(self.correlation_id)
        self._began = time.perf_counter_ns()
        try:
            self._say("start", {"system_time": time.time_ns()})
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Emits the end. A generator that is closed early has come to its end."""
        duration = {"duration": time.perf_counter_ns() - self._began}
        try:
            if error is None or isinstance(error, GeneratorExit):
                self._say("stop", duration)
            else:
                self._say("exception", duration, _described(error))
        finally:
            self._leave()

    def _say(
        self,
        what: str,
        measured: Mapping[str, float],
        more: dict[str, str] | None = None,
    ) -> None:
        metadata = {**self.metadata, **more} if more else self.metadata
        emit(f"{self.operation}.{what}", measured, metadata, self.correlation_id)

    def _leave(self) -> None:
        if self._token is not None:
            _correlation.reset(self._token)
            self._token = None


@contextmanager
def correlation(correlation_id: str | None = None) -> Iterator[str]:
    """Gives events emitted within an id by which they are found together.

    A new one if none is given, or an empty one. Raises ValueError over 255 bytes.
    """
    chosen = correlation_id or _new_id()
    _check_name("correlation_id", chosen)
    token = _correlation.set(chosen)
    try:
        yield chosen
    finally:
        _correlation.reset(token)


def get_correlation_id() -> str:
    """The id of the surrounding `span` or `correlation`; empty if there is none."""
    return _correlation.get()


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


# ---- Making and handing over ---------------------------------------------------------


def _stamped(
    name: str, measured: dict[str, Any], described: dict[str, Any], correlation: str
) -> Event:
    call = runtime.current_call()
    return Event(
        name=name,
        measurements=measured,
        metadata=described,
        correlation_id=correlation,
        session_id=call.session_id if call is not None else "",
        call=call.id if call is not None else 0,
        time_ns=time.time_ns(),
    )


def _hand_over(event: Event) -> None:
    for events in _captures:
        events.append(event)
    if not runtime.is_attached():
        return
    try:
        runtime.native.emit(
            [
                event.name,
                event.call,
                event.session_id,
                event.correlation_id,
                event.time_ns,
                event.measurements,
                event.metadata,
            ]
        )
    except (TypeError, ValueError, OverflowError) as error:
        text = str(error).replace("at result[5]", "at measurements")
        text = text.replace("at result[6]", "at metadata")
        raise type(error)(f'event "{event.name}": {text}') from None


def _described(error: BaseException) -> dict[str, str]:
    try:
        text = str(error)
    except Exception:
        text = ""
    text = text[:ERROR_CHARACTERS].encode("utf-8", "replace").decode()
    return {"error_type": type(error).__name__, "error_message": text}


def _new_id() -> str:
    return uuid.uuid4().hex


# ---- Checking ------------------------------------------------------------------------


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{what} is a text, not {type(name).__name__}")
    if "\0" in name:
        raise ValueError(f"{what} has no zero in it: {name[:40]!r}")
    if not 0 < len(name.encode("utf-8", "replace")) <= NAME_BYTES:
        raise ValueError(f"{what} has 1 to {NAME_BYTES} bytes: {name[:40]!r}")


def _numbers(event: str, measurements: Mapping[str, float] | None) -> dict[str, Any]:
    numbers = _texts_to_values("measurements", measurements)
    for key, value in numbers.items():
        if type(value) not in (int, float) and not isinstance(value, Real):
            raise TypeError(
                f'event "{event}": measurement "{key}" is a number, not '
                f"{type(value).__name__}; what is no number goes into metadata"
            )
    return numbers


def _texts_to_values(what: str, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{what} is a mapping, not {type(mapping).__name__}")
    values = dict(mapping)
    for key in values:
        if not isinstance(key, str):
            raise TypeError(f"keys of {what} are texts, not {type(key).__name__}")
    return values
