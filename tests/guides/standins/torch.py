# SPDX-License-Identifier: MIT
"""A stand-in for PyTorch, which is too large for a test environment.

It has the calls that the guides make and computes with NumPy: a model is one linear
layer, the same on every machine. What cannot be shown with it is PyTorch itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy

_per_thread = threading.local()
_threads = {"count": 1}


class Tensor:
    def __init__(self, values: Any) -> None:
        self.values = numpy.asarray(values, dtype=numpy.float64)

    def tolist(self) -> Any:
        return self.values.tolist()


class Module:
    """Doubles and adds one. Refuses to run while it may still be trained."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.training = True

    def eval(self) -> Module:
        self.training = False
        return self

    def __call__(self, tensor: Tensor) -> Tensor:
        if self.training or getattr(_per_thread, "gradients", True):
            raise RuntimeError("the guides' models run in eval mode, without gradients")
        return Tensor(tensor.values * 2 + 1)


def load(path: str) -> Module:
    return Module(path)


def tensor(values: Any) -> Tensor:
    return Tensor(values)


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """As in PyTorch, for the calling thread alone."""
    before = getattr(_per_thread, "gradients", True)
    _per_thread.gradients = False
    try:
        yield
    finally:
        _per_thread.gradients = before


def set_num_threads(count: int) -> None:
    _threads["count"] = count


def get_num_threads() -> int:
    return _threads["count"]
