# SPDX-License-Identifier: MIT
from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import snakepit_bridge
from snakepit_bridge import standalone

ROOT = Path(__file__).resolve().parent.parent.parent


def test_version_is_that_of_the_library() -> None:
    header = (ROOT / "include" / "snakepit" / "version.h").read_text()
    found = re.search(r'SNAKEPIT_VERSION\s+"([^"]+)"', header)
    assert found is not None
    assert snakepit_bridge.__version__ == found.group(1)


def test_all_names_exist() -> None:
    for name in snakepit_bridge.__all__:
        assert hasattr(snakepit_bridge, name)


@pytest.mark.parametrize("path", ["base_adapter_threaded", "adapters.base_threaded"])
def test_old_module_paths_hold_the_promised_names(path: str) -> None:
    module = importlib.import_module(f"snakepit_bridge.{path}")
    assert set(module.__all__) == {
        "ThreadSafeAdapter",
        "thread_safe_method",
        "tool",
        "ThreadLocalStorage",
        "RequestTracker",
        "require_thread_safe",
        "validate_thread_safety",
    }
    assert all(hasattr(module, name) for name in module.__all__)


def test_outside_of_a_worker_there_is_no_call() -> None:
    assert snakepit_bridge.current_call() is None


def test_an_exception_handler_lets_cancelled_pass() -> None:
    assert issubclass(snakepit_bridge.Cancelled, BaseException)
    assert not issubclass(snakepit_bridge.Cancelled, Exception)


def test_tensors_are_made_by_workers_only() -> None:
    with pytest.raises(TypeError):
        snakepit_bridge.Tensor()


@pytest.mark.parametrize("shape", [3, (3,), [2, 3], (), (0, 4)])
def test_empty_outside_of_a_worker_has_the_shape_and_can_be_written(shape) -> None:
    numpy = pytest.importorskip("numpy")
    array = snakepit_bridge.empty(shape, "int16")
    assert array.shape == numpy.empty(shape).shape
    assert array.dtype == "int16"
    numpy.asarray(array)[...] = 7


@pytest.mark.parametrize("dtype", sorted(standalone.FORMATS))
def test_without_numpy_empty_is_a_memoryview(dtype: str) -> None:
    view = standalone._plain((2, 3), dtype)
    assert view.shape == (2, 3)
    assert not view.readonly
    assert standalone._plain((0, 3), dtype).nbytes == 0
    assert standalone._plain((), dtype).nbytes == view.itemsize


SHORT = ["?", "b1", "u1", "i2", "=u4", "|i8", "f2", "<f4", "f8", "c8", "<c16", "float"]


@pytest.mark.parametrize("dtype", SHORT)
def test_empty_takes_numpys_short_names(dtype: str) -> None:
    numpy = pytest.importorskip("numpy")
    assert snakepit_bridge.empty(2, dtype).dtype == numpy.dtype(dtype)


def test_empty_refuses_what_is_no_array() -> None:
    with pytest.raises(ValueError, match="dtype 'float99'; it can have bool, int8"):
        snakepit_bridge.empty(3, "float99")
    with pytest.raises(ValueError, match="negative"):
        snakepit_bridge.empty((2, -1))
    with pytest.raises(ValueError, match="needs NumPy"):
        standalone._plain((2,), "float16")
