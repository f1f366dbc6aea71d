# SPDX-License-Identifier: MIT
"""What the guinea pig does with arrays."""

from __future__ import annotations

import ctypes
import gc

from snakepit_bridge import empty, tool


def offset_in_file(address):
    """Where in its shared segment an address lies."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, _, offset = line.split()[:3]
            low, high = (int(part, 16) for part in span.split("-"))
            if low <= address < high and "/memfd:" in line:
                return address - low + int(offset, 16)
    return None


class Tensors:
    """Tools for arguments and results that are arrays. `self.kept` is a list."""

    @tool
    def describe(self, array):
        view = memoryview(array)
        return {
            "type": type(array).__name__,
            "shape": list(array.shape),
            "dtype": array.dtype,
            "readonly": view.readonly,
            "first": view.cast("B")[0] if view.nbytes else None,
        }

    @tool
    def total(self, array):
        import numpy

        return float(numpy.asarray(array).sum())

    @tool
    def write_to(self, array):
        """Tries to write to an argument, in ways that Python offers."""
        import numpy

        refused = []
        try:
            memoryview(array)[0] = 1
        except (TypeError, NotImplementedError) as error:
            refused.append(type(error).__name__)
        try:
            numpy.asarray(array)[...] = 1
        except ValueError as error:
            refused.append(type(error).__name__)
        try:
            numpy.asarray(array).setflags(write=True)
        except ValueError as error:
            refused.append(type(error).__name__)
        return refused

    @tool
    def poke(self, array):
        """Writes past Python into what it was given: the memory is read-only."""
        import numpy

        address = numpy.asarray(array).ctypes.data
        ctypes.memset(address, 0xFF, 8)

    @tool
    def keep(self, array):
        self.kept.append(array)
        return len(self.kept)

    @tool
    def kept_sum(self):
        import numpy

        return float(sum(numpy.asarray(array).sum() for array in self.kept))

    @tool
    def drop(self):
        self.kept.clear()
        gc.collect()

    @tool
    def make(self, count, value=1.0, shared=True):
        """An array of float64, in shared memory or not."""
        import numpy

        if not shared:
            return numpy.full(count, value)
        made = empty(count, "float64")
        numpy.asarray(made)[...] = value
        return made

    @tool
    def part(self, kind):
        """Parts of an array in shared memory: the same one, twice and changed."""
        import numpy

        made = empty((256, 128), "float64")
        made[...] = numpy.arange(256 * 128).reshape(256, 128)
        parts = {
            "twice": [made, made],
            "rows": made[16:32],
            "reshaped": made.reshape(-1),
            "transposed": made.T,
            "columns": made[:, 3:7],
        }
        return parts[kind]

    @tool
    def where_made(self, count):
        """Its place in the segment, and the array itself."""
        made = empty(count, "uint8")
        made[...] = 7
        return {"offset": offset_in_file(made.ctypes.data), "array": made}

    @tool
    def keep_made(self, count):
        self.kept.append(empty(count, "uint8"))

    @tool
    def give_made(self):
        return self.kept[-1]

    @tool
    def fill_up(self, count):
        """Arrays until there is no memory, then after they were dropped."""
        made = []
        try:
            while True:
                made.append(empty(count, "uint8"))
        except MemoryError as error:
            said = str(error)
        number = len(made)
        made.clear()
        gc.collect()
        return {"number": number, "said": said, "after": empty(count, "uint8").nbytes}

    @tool
    def from_dlpack(self, array):
        """The sum through DLPack, and what a write says."""
        import numpy

        seen = numpy.from_dlpack(array)
        same = seen.ctypes.data == numpy.asarray(array).ctypes.data
        try:
            seen[...] = 1
        except ValueError as error:
            return {"sum": float(seen.sum()), "same": same, "said": str(error)}
        return {"sum": float(seen.sum()), "same": same, "said": ""}

    @tool
    def keep_dlpack(self, array):
        import numpy

        self.kept.append(numpy.from_dlpack(array))

    @tool
    def echo_nothing(self, array):
        return None

    @tool
    def where(self, array):
        """The address and what is mapped there."""
        import numpy

        address = numpy.asarray(array).ctypes.data
        with open("/proc/self/maps") as maps:
            for line in maps:
                low, high = (int(part, 16) for part in line.split()[0].split("-"))
                if low <= address < high:
                    return line
        return None
