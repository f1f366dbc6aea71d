# SPDX-License-Identifier: MIT
"""What the showcases check of their arguments: each error names the parameter.

What a host sends need not fit a signature's annotations, so a tool that others call
looks before it computes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from numbers import Real
from typing import Any, Union

from .. import Tensor

Numbers = Union["list[Any]", "tuple[Any, ...]", Tensor]

# Formats of the buffer protocol that are real numbers, as the struct module has them.
_REAL = frozenset("?bBhHiIlLqQnNefd")
_ORDERS = frozenset(["", "@", "=", "<", ">", "!"])


def _refuse(name: str, wanted: str, value: object) -> TypeError:
    return TypeError(f"{name} is {wanted}, not {type(value).__name__}")


def text(name: str, value: object) -> str:
    """`value`, which is a text. Raises TypeError."""
    if not isinstance(value, str):
        raise _refuse(name, "a text", value)
    return value


def number(name: str, value: Any) -> Any:
    """`value`, which is a real number. Raises TypeError."""
    if not isinstance(value, Real):
        raise _refuse(name, "a number", value)
    return value


def amount(name: str, value: Any) -> float:
    """`value`, which is a finite number of 0 or more. Raises TypeError, ValueError."""
    if not 0 <= number(name, value) < math.inf:
        raise ValueError(f"{name} is 0 or more, not {value}")
    return float(value)


def whole(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """`value`, which is an int from `least` to `most`. Raises TypeError, ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refuse(name, "a whole number", value)
    if value < least or (most is not None and value > most):
        limits = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} is {limits}, not {value}")
    return value


def items(name: str, value: Any) -> list[Any] | tuple[Any, ...]:
    """`value`, which is a list. Raises TypeError."""
    if not isinstance(value, (list, tuple)):
        raise _refuse(name, "a list", value)
    return value


def raw_bytes(name: str, value: Any) -> memoryview:
    """The memory of bytes or of an array. Raises TypeError for anything else."""
    try:
        return memoryview(value)
    except TypeError:
        raise _refuse(name, "bytes or an array", value) from None


def flat(name: str, data: list[Any] | tuple[Any, ...]) -> list[float]:
    """The numbers of a list, and of the lists in it, in their order.

    Raises TypeError for what is not a number and ValueError for NaN and infinities,
    which say where it stands.
    """
    return list(_flat(name, data))


def _flat(name: str, data: list[Any] | tuple[Any, ...]) -> Iterator[float]:
    for index, item in enumerate(data):
        where = f"{name}[{index}]"
        if isinstance(item, (list, tuple)):
            yield from _flat(where, item)
        elif not isinstance(item, Real):
            raise _refuse(where, "a number", item)
        elif not math.isfinite(item):
            raise ValueError(f"{where} is a finite number, not {item}")
        else:
            yield float(item)


def real_buffer(name: str, data: Any) -> memoryview:
    """What an array of real numbers exports. Raises TypeError for anything else."""
    if isinstance(data, (bytes, bytearray)) or not _exports(data):
        raise _refuse(name, "a list of numbers or an array", data)
    view = memoryview(data)
    if view.format[:-1] not in _ORDERS or view.format[-1:] not in _REAL:
        dtype = getattr(data, "dtype", view.format)
        raise TypeError(f"{name} is an array of real numbers, not of {dtype}")
    return view


def _exports(data: Any) -> bool:
    try:
        memoryview(data)
    except (TypeError, ValueError):  # NumPy's, of dates
        return False
    return True


def unpacked(view: memoryview) -> list[float]:
    """All numbers of a buffer in C order, for Python without NumPy."""
    order, letter = view.format[:-1], view.format[-1]
    count = view.nbytes // view.itemsize
    return [float(x) for x in struct.unpack(f"{order}{count}{letter}", view.tobytes())]
