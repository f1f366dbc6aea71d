# SPDX-License-Identifier: MIT
"""Tools that take many calls at once.

The extension hands over the arguments of the calls that were there, and wants a result
for each. What the tool itself gets is columns: for each of its parameters a list with
the values of all calls or, where these are tensors, one array with an axis more.
"""

from __future__ import annotations

from . import arrays, calling
from .errors import AdapterError
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable

    Arguments = dict[str, Any]
    Function = Callable[..., Any]

MOST_CALLS = 1024  # of one batch
MOST_WAIT_US = 100_000  # so that nobody takes its worker for stuck

_KEYS = ("max_batch", "batch_wait_us")
_NO_TENSORS = frozenset({type(None), bool, int, float, str, bytes, list, dict})


class Terms:
    """How many calls a tool takes at once, and how long one waits for others."""

    def __init__(self, max_batch: int, batch_wait_us: int = 0) -> None:
        """Raises TypeError and ValueError for what these cannot be."""
        self.max_batch = _checked("max_batch", max_batch, 2, MOST_CALLS)
        self.batch_wait_us = _checked("batch_wait_us", batch_wait_us, 0, MOST_WAIT_US)


def _checked(name: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int:
        raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} is {least} to {most}, not {value}")
    return value


def terms_of(batch: int | Mapping[str, int]) -> Terms:
    """What ``@tool(batch=...)`` was given: a number of calls, or a map.

    Raises TypeError and ValueError.
    """
    if isinstance(batch, int):
        return Terms(batch)
    wrong = [str(key) for key in batch if key not in _KEYS]
    if wrong or "max_batch" not in batch:
        what = f"not {wrong[0]!r}" if wrong else "and max_batch is missing"
        raise ValueError(f"the keys of batch are {' and '.join(_KEYS)}, {what}")
    return Terms(**batch)


def check(what: str, function: Function) -> None:
    """Raises AdapterError, which names the tool as `what`, for one that streams."""
    kind = calling.kind_of(function)
    if kind.streams:
        raise AdapterError(
            f"{what} has batch and is {kind.value}; a stream belongs to one call, so "
            "leave batch out, or return a list"
        )


class Batched:
    """A tool as the extension calls it: with a list of arguments."""

    def __init__(self, function: Function) -> None:
        """`function`: what an executor can call, see `calling.plain`."""
        self._function = function

    def __call__(self, calls: list[Arguments]) -> list[Any]:
        """A result for each; an exception is the result of a call that fails.

        Calls that do not fit together are several batches. What is no Exception, such
        as Cancelled, ends all of them, and is raised.
        """
        if _are_alike(calls):
            return self.run_batch(calls)
        groups: dict[Any, list[int]] = {}
        for place, call in enumerate(calls):
            groups.setdefault(_kind_of(call), []).append(place)
        results: list[Any] = [None] * len(calls)
        for places in groups.values():
            some = self.run_batch([calls[place] for place in places])
            for place, result in zip(places, some):
                results[place] = result
        return results

    def run_batch(self, calls: list[Arguments]) -> list[Any]:
        """The same for calls that fit together. Those without arguments do not: there
        is no column whose length says how many they are.
        """
        if not calls[0] and len(calls) > 1:
            return [self.run_batch([call])[0] for call in calls]
        try:
            columns = {name: _column(name, calls) for name in calls[0]}
            results = calling.finished(self._function(**columns))
            return _as_list(results, len(calls))
        except Exception as error:
            return [_without_our_frame(error)] * len(calls)


def _without_our_frame(error: Exception) -> Exception:
    """Nobody needs it, and it holds the arguments, which could not be sent again."""
    traceback = error.__traceback__
    return error.with_traceback(None if traceback is None else traceback.tb_next)


def _are_alike(calls: list[Arguments]) -> bool:
    """Whether they certainly fit together: the common case, seen quickly."""
    names = calls[0].keys()
    return all(
        call.keys() == names and _NO_TENSORS.issuperset(map(type, call.values()))
        for call in calls
    )


def _kind_of(call: Arguments) -> Any:
    """What calls have in common that fit together: the names of their arguments, and
    type and shape of those that are tensors.
    """
    return frozenset(
        (name, None)
        if type(value) in _NO_TENSORS
        else (name, (str(value.dtype), value.shape))
        for name, value in call.items()
    )


def _column(name: str, calls: list[Arguments]) -> Any:
    """The values of one parameter: a list, or an array of them where NumPy has one."""
    values = [call[name] for call in calls]
    if type(values[0]) in _NO_TENSORS:
        return values
    numpy = arrays.found_numpy()
    if numpy is None:
        return values
    try:
        return numpy.stack(values)
    except TypeError:
        return values  # of a type that NumPy does not have, such as bfloat16


def _as_list(results: Any, count: int) -> list[Any]:
    """A list with a result for each call. Raises AdapterError."""
    is_array = hasattr(type(results), "__array__") and hasattr(results, "shape")
    if not is_array and not isinstance(results, (list, tuple)):
        raise AdapterError(
            "a tool with batch returns a list or an array with a result for each "
            f"call, not {type(results).__name__}"
        )
    listed = list(results)
    if len(listed) != count:
        raise AdapterError(
            f"a tool with batch returns a result for each call: of {count} calls it "
            f"returned {len(listed)}"
        )
    return listed
