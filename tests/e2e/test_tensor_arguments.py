# SPDX-License-Identifier: MIT
"""As what tensors arrive, and what becomes of those that are written to."""

from __future__ import annotations

import re
import signal

import numpy
import pytest
from support import Refused, pool
from support import host_tools as tools
from support.places import ROOT

ARRAY = numpy.arange(6, dtype="float64").reshape(2, 3)
WROTE = (
    "killed by signal 11 (SIGSEGV): it wrote to a read-only tensor argument; copy the "
    "argument before, or set the pool's tensors: copy"
)
ELSEWHERE = "killed by signal 11 (SIGSEGV)"
NOT_SAID = "died; the kernel has not said how"


def careless(kind="process", **options):
    options.setdefault("adapter", "careless.Careless")
    return pool(kind, **options)


def causes_of(pit, tool, arguments, wanted):
    """The causes of up to three deaths, until one is the wanted one."""
    causes = []
    while len(causes) < 3 and wanted not in causes:
        fault = pit.fails(tool, arguments)
        assert fault.err == "WORKER_DIED"
        causes.append(fault.cause)
        pit.await_replacement(*(row for row in pit.workers() if row.id == fault.worker))
    return set(causes)


# ---- What the caller is told ---------------------------------------------------------


def test_a_write_to_an_argument_is_the_cause(open_pit, kind):
    pit = open_pit(careless(kind))
    assert causes_of(pit, "write", {"array": ARRAY}, WROTE) <= {WROTE, NOT_SAID}


@pytest.mark.parametrize("tool", ["fault", "raise_signal"])
def test_another_fault_is_not(open_pit, kind, tool):
    pit = open_pit(careless(kind))
    assert causes_of(pit, tool, {}, ELSEWHERE) <= {ELSEWHERE, NOT_SAID}


@pytest.mark.parametrize(
    ("options", "tool"),
    [
        ({"adapter_env": {"PYTHONFAULTHANDLER": "1"}}, "write"),
        ({"adapter": "careless.Dumping"}, "write"),
        ({}, "dump_and_write"),
    ],
)
def test_it_is_told_where_faulthandler_is_at_work_too(open_pit, kind, options, tool):
    pit = open_pit(careless(kind, **options))
    fault = pit.fails(tool, {"array": ARRAY})
    assert fault.cause in (WROTE, NOT_SAID)
    # Not more: without a GIL its dump of all threads may fail.
    assert "Segmentation fault" in fault.last_output
    assert "write_to" in fault.crash_stack
    pit.await_replacement()


def test_a_child_that_writes_is_not_its_worker(open_pit):
    pit = open_pit(careless())
    found = pit.call("write_in_a_child", {"array": ARRAY})
    assert found == signal.SIGSEGV
    assert causes_of(pit, "raise_signal", {}, ELSEWHERE) <= {ELSEWHERE, NOT_SAID}


# ---- The page ------------------------------------------------------------------------


def test_the_page_s_adapter_works_as_it_is_printed(open_pit, tmp_path):
    page = (ROOT / "docs/tensors.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "printed.py").write_text(block)
    env = {"PYTHONPATH": str(tmp_path)}
    pit = open_pit(pool(adapter="printed.Scaling", adapter_env=env))
    for name in ("scaled", "result"):
        assert (pit.call(name, {"x": ARRAY}) == 2 * ARRAY).all()


# ---- As what they arrive -------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "described"),
    [
        ("view", ["Tensor", False]),
        ("copy", ["Tensor", True]),
        ("numpy", ["ndarray", False]),
        ("numpy_copy", ["ndarray", True]),
    ],
)
def test_tensors_arrive_as_the_pool_says(shared_pit, kind, choice, described):
    pit = shared_pit(careless(kind, tensors=choice))
    assert pit.call("describe", {"array": ARRAY}) == described
    for empty in (numpy.zeros((0, 3), "int8"), numpy.array(7.0)):
        assert pit.call("describe", {"array": empty})[0] == described[0]
    fault = pit.fails("fail", {"array": ARRAY})
    assert fault.arguments == "array: float64[2,3]"
    tools.register(pit, "array", lambda _info: ARRAY)
    assert pit.call("host", {"tool": "array"}) == described[0]


@pytest.mark.parametrize("choice", ["copy", "numpy_copy"])
def test_copies_may_be_written_to(shared_pit, kind, choice):
    pit = shared_pit(careless(kind, tensors=choice))
    shared = pit.tensor("float64", (2, 3))
    shared.array[...] = ARRAY
    found = pit.call("change", {"array": shared})
    assert found["type"] == ("Tensor" if choice == "copy" else "ndarray")
    assert found["writable"] is True
    assert found["bytes"] == b"\xff" * 8 + ARRAY.tobytes()[8:]
    assert (shared.array == ARRAY).all()  # the host's own is as it was
    assert (pit.call("add_in_place", {"array": shared}) == ARRAY + 1).all()
    shared.free()


@pytest.mark.parametrize("choice", ["view", "copy", "numpy", "numpy_copy"])
def test_what_is_kept_stays_as_it_was(shared_pit, choice):
    pit = shared_pit(careless(tensors=choice))
    pit.call("keep", {"array": numpy.array([2.5])})
    for value in range(300):
        pit.call("describe", {"array": numpy.array([float(value)])})
    assert pit.call("kept_sum") == 2.5


def test_a_choice_that_is_none_is_refused(open_pit):
    with pytest.raises(Refused, match='"view", "copy", "numpy" or'):
        open_pit(careless(tensors="array"), ready=False)
