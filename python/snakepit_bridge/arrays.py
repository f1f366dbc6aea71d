# SPDX-License-Identifier: MIT
"""Arrays that are results without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import runtime, standalone


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

    `shape` counts elements; `dtype` is NumPy's name, or a type with such a name. Raises
    ValueError for an unknown dtype or a negative extent, MemoryError if the pool's
    shared memory is used up.
    """
    if not runtime.is_attached():
        return standalone.empty(shape, dtype)
    tensor = runtime.native.empty(shape, dtype)
    try:
        import numpy
    except ImportError:
        return tensor
    return numpy.asarray(tensor)
