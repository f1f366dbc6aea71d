# SPDX-License-Identifier: MIT
"""Arrays that are results without a copy, and what NumPy makes of tensors."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

from . import late, runtime
from .errors import AdapterError
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable

    from . import standalone
else:
    standalone = late.Module("snakepit_bridge.standalone")


def empty(shape: int | Sequence[int], dtype: Any = "float32") -> Any:
    """A writable array for a result, packed in C order, its contents undefined.

    In a worker it lies in the shared memory of results. A tool that returns it copies
    nothing, nor one that returns a part of it, or another shape of it, that is packed
    in C order and begins at a multiple of 64 bytes; other parts, and transposed ones,
    are copied. It stays valid for as long as Python holds it, and its memory is free
    again when neither Python nor the host needs it. What was returned belongs to the
    host too: do not write to it any more.

    The array is NumPy's where NumPy can be imported (this imports it), else a `Tensor`,
    to be filled through ``memoryview(...)``. Outside of a worker it is one of NumPy's
    in ordinary memory, or a memoryview.

    `shape` counts elements; `dtype` is NumPy's name, long or short (``"float32"``,
    ``"f4"``, ``"<f4"``), or a type with such a name. Raises ValueError for an unknown
    dtype or a negative extent, MemoryError if the pool's shared memory is used up.
    """
    if _empty is None and not _find_empty():
        return standalone.empty(shape, dtype)
    return _empty(shape, dtype)


# What `empty` calls in a worker. It is all in C, where an array is made in one step.
_empty: Any = None


def _find_empty() -> bool:
    """Sets it. False: this is not a worker."""
    global _empty
    if not runtime.is_attached():
        return False
    native = runtime.native
    numpy, as_array = _found[0] if _found else _find()
    if numpy is None:
        _empty = native.empty
    else:
        _empty = native.array_maker(numpy.ndarray, numpy.dtype, as_array)
    return True


def _has_array(tensor: Any) -> bool:
    """Whether NumPy has a type for the tensor's elements."""
    return tensor.dtype != BFLOAT16 or _has_ml_dtypes()


def array_of(tensor: Any, dtype: Any = None, copy: bool | None = None) -> Any:
    """NumPy's array of a `Tensor`: what ``tensor.__array__(dtype, copy=copy)`` gives.

    It shows the tensor's memory where it can. With ``copy=True`` it is a writable copy;
    where another `dtype` needs a copy, ``copy=False`` raises ValueError. Raises
    TypeError where NumPy is not installed.
    """
    numpy, _ = _found[0] if _found else _find()
    if numpy is None:
        raise TypeError(
            "this needs NumPy, which is not installed here: a tensor by itself has "
            "integers and slices of step 1 as keys, tolist(), and memoryview(tensor)"
        )
    if tensor.dtype == BFLOAT16:
        array = _array_of_bfloat16(numpy, tensor)
    else:
        array = numpy.asarray(memoryview(tensor))
    if dtype is None or array.dtype == numpy.dtype(dtype):
        return array.copy() if copy else array
    if copy is False:
        raise ValueError(
            f"a tensor of {array.dtype} cannot be seen as {numpy.dtype(dtype)} without "
            "a copy; leave copy=False out"
        )
    return array.astype(dtype)


def maker(choice: str) -> Callable[[Any], Any] | None:
    """What makes NumPy's arrays of tensors where the pool's `tensors` says so.

    Raises AdapterError if NumPy is missing then, and what it raises when imported.
    """
    if choice not in ("numpy", "numpy_copy"):
        return None
    try:
        import numpy  # at the start, when no cancel can strike
    except ImportError as error:
        raise AdapterError(
            f"tensors: {choice} needs NumPy, which {sys.executable} does not have; "
            "install it there, or use tensors: view or copy"
        ) from error
    return _as_array(numpy)


# ---- bfloat16, which NumPy has from the package ml_dtypes ----------------------------

BFLOAT16 = "bfloat16"


def _has_ml_dtypes() -> bool:
    if "ml_dtypes" in sys.modules:
        return True
    return PathFinder.find_spec("ml_dtypes") is not None


def _array_of_bfloat16(numpy: Any, tensor: Any) -> Any:
    if not _has_ml_dtypes():
        raise TypeError(
            "an array of bfloat16 needs the package ml_dtypes, which is not installed "
            "here; a tensor by itself has tolist(), integers and slices of step 1 as "
            "keys, and DLPack (torch.from_dlpack(tensor))"
        )
    bfloat16 = late.imported_elsewhere("ml_dtypes").bfloat16
    if 0 in tensor.shape:
        return numpy.empty(tensor.shape, bfloat16)
    bits = numpy.frombuffer(tensor, "uint16")
    return bits.view(bfloat16).reshape(tensor.shape)


def _as_array(numpy: Any) -> Callable[[Any], Any]:
    """What makes arrays of tensors, but for those that there is no array for."""
    as_array: Callable[[Any], Any] = numpy.asarray
    if _has_ml_dtypes():
        return as_array

    def array_or_tensor(tensor: Any) -> Any:
        try:
            return as_array(tensor)
        except TypeError:
            if _has_array(tensor):
                raise
            return tensor

    return array_or_tensor


def found_numpy() -> Any:
    """NumPy, or None where it is not installed."""
    numpy, _ = _found[0] if _found else _find()
    return numpy


# NumPy and what makes its arrays; twice None where it is not installed. Empty until
# somebody asked.
_found: list[tuple[Any, Callable[[Any], Any] | None]] = []


def _find() -> tuple[Any, Callable[[Any], Any] | None]:
    """What `_found` will hold. Raises what NumPy raises, but for ImportError."""
    try:
        numpy = late.imported_elsewhere("numpy")
    except ImportError:
        numpy = None
    _found.append((numpy, None if numpy is None else _as_array(numpy)))
    return _found[-1]
