# SPDX-License-Identifier: MIT
"""The adapter of the bench for tensors. It is a module of its own because it imports
NumPy, which the other cases must not pay for.
"""

import numpy as np
from snakepit_bridge import BaseAdapter, empty, tool


class TensorAdapter(BaseAdapter):
    """Tools that take and return 64 MiB."""

    __thread_safe__ = True

    @tool
    def noop(self, x, name, n):
        """Answers at once."""
        return {"ok": True, "y": x}

    @tool
    def view(self, t):
        """The last element of an array that stays where it is."""
        return {"last": float(np.asarray(t)[-1])}

    @tool
    def produce(self, x):
        """An array made in shared memory, of which the last element is set."""
        out = empty((16 << 20,), "float32")
        out[-1] = x
        return out
