# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest
from snakepit_bridge import Cancelled, arrays, runtime
from snakepit_bridge.errors import AdapterError

# As NumPy is: half made it is of no use, and it cannot be made twice in a process.
NUMPY = """
    import gate

    gate.runs += 1
    if gate.runs > 1:
        raise ImportError("cannot load module more than once per process")
    gate.begun.set()
    gate.go.wait(20)
    for _ in range(1000):
        pass

    ndarray = dtype = object

    def asarray(tensor):
        return "array of " + tensor
"""


class Native:
    """A worker's extension."""

    def empty(self, shape: int, dtype: str) -> str:
        return f"{shape} {dtype}"

    def array_maker(self, ndarray: Any, dtype: Any, as_array: Any) -> Any:
        return lambda shape, dtype: as_array(self.empty(shape, dtype))


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker that has not asked for NumPy yet, and what holds its import up."""
    made: Any = types.ModuleType("gate")
    made.runs, made.begun, made.go = 0, threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, "gate", made)
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    monkeypatch.setattr(arrays, "_found", [])
    monkeypatch.setattr(arrays, "_empty", None)
    monkeypatch.setattr(runtime, "native", Native())
    monkeypatch.setattr(runtime, "is_attached", lambda: True)
    return made


class Caller(threading.Thread):
    """An executor whose call makes an array."""

    raised: BaseException | None = None

    def run(self) -> None:
        try:
            arrays.empty(2)
        except BaseException as error:
            self.raised = error

    def cancel(self) -> None:
        assert self.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self.ident), ctypes.py_object(Cancelled)
        )


def test_a_cancel_inside_of_the_import_leaves_numpy_whole(
    gate: Any, write_module: Callable[..., str]
) -> None:
    write_module("numpy", NUMPY)
    caller = Caller()
    caller.start()
    assert gate.begun.wait(20)
    caller.cancel()
    gate.go.set()
    caller.join(20)
    assert isinstance(caller.raised, Cancelled)
    assert arrays.empty(3) == "array of 3 float32"
    assert gate.runs == 1


def test_callers_that_come_meanwhile_wait_for_the_same_import(
    gate: Any, write_module: Callable[..., str]
) -> None:
    write_module("numpy", NUMPY)
    callers = [Caller() for _ in range(3)]
    for caller in callers:
        caller.start()
    assert gate.begun.wait(20)
    gate.go.set()
    for caller in callers:
        caller.join(20)
    assert [caller.raised for caller in callers] == [None] * 3
    assert gate.runs == 1


def test_without_numpy_it_is_a_tensor(
    gate: Any, write_module: Callable[..., str]
) -> None:
    write_module("numpy", "raise ImportError('there is none')")
    assert arrays.empty(3) == arrays.empty(3) == "3 float32"


def test_a_numpy_that_is_broken_is_an_error_each_time(
    gate: Any, write_module: Callable[..., str]
) -> None:
    write_module("numpy", "raise ValueError('broken')")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            arrays.empty(3)


# ---- Arguments -----------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["view", "copy"])
def test_tensors_that_stay_tensors_need_no_numpy(
    monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert arrays.maker(choice) is None


@pytest.mark.parametrize("choice", ["numpy", "numpy_copy"])
def test_arrays_of_numpy_need_it(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    made = types.ModuleType("numpy")
    made.asarray = str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "numpy", made)
    assert arrays.maker(choice) is str
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(AdapterError, match=f"tensors: {choice} needs NumPy"):
        arrays.maker(choice)
