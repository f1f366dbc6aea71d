# SPDX-License-Identifier: MIT
"""`snakepit_bridge.examination`: what the import of an adapter does."""

from __future__ import annotations

import builtins
import sys
from typing import Callable

import pytest
from snakepit_bridge import examination

ADAPTER = """
    import pandas
    import numpy.linalg
    from snakepit_bridge import ThreadSafeAdapter, tool

    class Shop(ThreadSafeAdapter):
        __thread_safe__ = True
        @tool
        def price(self):
            return 1
"""


@pytest.fixture
def shop(write_module: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An adapter whose libraries have the names of real ones."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("numpy", "pandas"):
            monkeypatch.delitem(sys.modules, name)
    write_module("numpy.__init__", "__version__ = '1.26.4'\n")
    write_module("numpy.linalg", "")
    write_module("pandas", "import time\ntime.sleep(0.01)\n__version__ = 2\n")
    return write_module("shop", ADAPTER)


def test_libraries_of_the_table_are_told_with_their_versions(shop: str) -> None:
    found = examination.examine("shop:Shop")
    libraries = {each["title"]: each for each in found["libraries"]}
    assert libraries["NumPy"]["version"] == "1.26.4"
    assert libraries["NumPy"]["too_old"] and libraries["NumPy"]["threads"]
    assert libraries["pandas"]["thread_safe"] is False
    assert libraries["pandas"]["version"] == ""  # it is not a text
    assert libraries["pandas"]["pattern"]
    assert found["problem"] is None and found["declared"] is True


def test_packages_that_take_long_are_told_the_slowest_first(shop: str) -> None:
    found = examination.examine("shop:Shop")
    times = dict(found["imports"])
    assert times["pandas"] >= 10_000
    assert found["import_us"] >= times["pandas"]
    values = [us for _, us in found["imports"]]
    assert values == sorted(values, reverse=True)


def test_what_stood_for_import_is_back_whatever_happens(
    write_module: Callable[..., str],
) -> None:
    before = builtins.__import__
    write_module("leaves", "raise SystemExit('gone')\n")
    assert examination.examine("leaves")["problem"] == "SystemExit: gone"
    assert builtins.__import__ is before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_like_this\n", "No module named 'nothing_like_this'"),
        ("x = 1\n", "has no adapter class"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        (
            "from snakepit_bridge import BaseAdapter, tool\n"
            "class A(BaseAdapter):\n"
            "    def __init__(self, wanted): ...\n"
            "    @tool\n"
            "    def f(self): ...\n",
            "is built without arguments",
        ),
    ],
)
def test_what_a_worker_would_not_take_is_a_problem(
    write_module: Callable[..., str], text: str, says: str
) -> None:
    write_module("wrong", text)
    found = examination.examine("wrong")
    assert says in found["problem"]
    assert found["import_us"] > 0


def test_a_module_that_is_not_there_is_a_problem() -> None:
    assert "no module named" in examination.examine("nowhere.Class")["problem"]


@pytest.mark.parametrize(
    ("version", "minimum", "older"),
    [
        ("1.26.4", "2.1", True),
        ("2.1", "2.1", False),
        ("2.1.0rc1", "2.1", False),
        ("2", "2.1", True),
        ("10.0", "2.1", False),
        ("", "2.1", False),
        ("unknown", "2.1", False),
        ("1.0", "", False),
    ],
)
def test_versions_are_compared_by_their_numbers(
    version: str, minimum: str, older: bool
) -> None:
    assert examination.is_before(version, minimum) is older


def test_the_module_that_switches_the_gil_on_is_named() -> None:
    message = (
        "The global interpreter lock (GIL) has been enabled to load module 'oldlib', "
        "which has not declared that it can run safely without the GIL."
    )
    assert examination._gil_enabled_by(["something else", message]) == "oldlib"
    assert examination._gil_enabled_by([]) == ""
