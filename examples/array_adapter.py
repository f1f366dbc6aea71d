# SPDX-License-Identifier: MIT
"""NumPy on arrays in shared memory, for free-threaded Python, several calls at once."""

from typing import Any

import numpy as np
from snakepit_bridge import ThreadSafeAdapter, thread_safe_method, tool


class ArrayAdapter(ThreadSafeAdapter):
    """Reductions and products of tensors.

    A tensor argument is a read-only view of shared memory that `numpy.asarray` takes
    without a copy. Nothing is kept between calls, so no lock is needed.
    """

    __thread_safe__ = True

    @tool(description="The sum of two numbers")
    @thread_safe_method
    def add(self, a: float, b: float) -> float:
        """Return a + b; integers stay integers."""
        return a + b

    @tool(description="Sum, mean, smallest and largest element of a tensor")
    @thread_safe_method
    def stats(self, array: Any) -> dict[str, float]:
        """Return `sum`, `mean`, `min` and `max` of a tensor of any shape, not empty.

        Sum and mean are accumulated in float64. ValueError: the tensor is empty.
        """
        values = np.asarray(array)
        if values.size == 0:
            raise ValueError("the tensor has no elements")
        total = float(values.sum(dtype=np.float64))
        return {
            "sum": total,
            "mean": total / values.size,
            "min": float(values.min()),
            "max": float(values.max()),
        }

    @tool(description="The Euclidean norm of each row of a matrix, as a tensor")
    @thread_safe_method
    def row_norms(self, array: Any) -> Any:
        """Return a float32 tensor of shape (rows,) for one of shape (rows, columns)."""
        matrix = np.asarray(array)
        if matrix.ndim != 2:
            raise ValueError(f"expected a matrix, got {matrix.ndim} dimensions")
        return np.sqrt(np.einsum("ij,ij->i", matrix, matrix)).astype(np.float32)

    @tool(description="The product of two matrices, as a tensor")
    @thread_safe_method
    def matmul(self, a: Any, b: Any) -> Any:
        """Return a tensor of shape (n, m) for shapes (n, k) and (k, m)."""
        return np.matmul(np.asarray(a), np.asarray(b))
