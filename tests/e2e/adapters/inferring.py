# SPDX-License-Identifier: MIT
"""Tools of arrays, as models of the Open Inference Protocol."""

from __future__ import annotations

import time
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from snakepit_bridge import BaseAdapter, Tensor, tool

F32 = np.dtype[np.float32]


class Statistics(TypedDict):
    mean: float
    largest: NDArray[np.float32]


class Inferring(BaseAdapter):
    @tool
    def double(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Twice."""
        return np.asarray(x) * np.float32(2)

    @tool
    def same(self, x: Tensor) -> Tensor:
        """What came."""
        return x

    @tool
    def scale(
        self,
        matrix: np.ndarray[tuple[int, Literal[3]], F32],
        by: NDArray[np.float64],
        power: int = 1,
    ) -> np.ndarray[tuple[int, Literal[3]], np.dtype[np.float64]]:
        """A matrix of three columns, times a number."""
        return np.asarray(matrix) * np.asarray(by) ** power

    @tool
    def halves(
        self, x: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Both halves."""
        whole = np.asarray(x)
        middle = len(whole) // 2
        return whole[:middle], whole[middle:]

    @tool
    def statistics(self, x: NDArray[np.float32]) -> Statistics:
        """Two outputs by name."""
        whole = np.asarray(x)
        return {"mean": float(whole.mean()), "largest": whole.max(keepdims=True)}

    @tool
    def shout(self, words: list[bytes]) -> list[bytes]:
        """Elements of any length."""
        return [word.upper() for word in words]

    @tool
    def kinds(self, x: Any) -> str:
        """What Python has got."""
        return f"{type(x).__name__} {x!r:.60}"

    @tool
    def nothing(self, x: Tensor) -> None:
        """No output at all."""

    @tool
    def listed(self, x: NDArray[np.int64]) -> Any:
        """A list of lists, not an array."""
        return [[1, 2.5], [3, 4]] if int(np.asarray(x).sum()) else [[1], [2, 3]]

    @tool
    def complex(self, x: NDArray[np.complex64]) -> Any:
        """What the protocol has not."""
        return np.zeros(2, np.complex64)

    @tool
    def fails(self, x: Tensor) -> Tensor:
        """Raises."""
        raise ValueError("not today")

    @tool
    def waits(self, x: Tensor) -> Tensor:
        """Longer than anybody waits."""
        while True:
            time.sleep(0.01)

    @tool
    def session(self, x: Tensor) -> str:
        """That of the call."""
        from snakepit_bridge import current_call

        return current_call().session_id or ""

    @tool
    def add(self, a: int, b: int) -> int:
        """Not a model."""
        return a + b

    @tool
    def steps(self, x: NDArray[np.int64]):
        """Not a model either."""
        yield from np.asarray(x).tolist()
