# SPDX-License-Identifier: MIT
"""The thread safety checker in real workers: races are found, correct code is not."""

from __future__ import annotations

import pytest
from support.configs import pool
from support.pit import Pit

CALLS = 8  # in pairs, each of which meets


def checked(name: str, **options: object) -> dict:
    options.setdefault("thread_safety_checks", True)
    return pool("thread", adapter=f"racy.{name}", **options)


def findings(tool: str, *pools: dict) -> tuple[list[str], list[str]]:
    """Runs a tool in pairs in a pit of its own; gives the warnings and the rest of
    what the worker wrote.
    """
    pit = Pit.open(*pools)
    try:
        pit.await_ready()
        for call in [pit.submit(tool) for _ in range(CALLS)]:
            call.wait()
    finally:
        pit.close()
    lines = pit.logged("worker.stderr")
    return [line for line in lines if "RuntimeWarning" in line], lines


@pytest.mark.parametrize("name", ["Counter", "Frame", "Log", "Cache"])
def test_a_race_is_found_in_ten_of_ten_workers(name):
    for _ in range(10):
        warned, lines = findings("run", checked(name))
        assert len(warned) == 1
        assert f"of {name} is written from multiple threads" in warned[0]
        assert any("Warnings Issued: 1" in line for line in lines)


def test_a_correct_adapter_is_met_with_silence_in_a_hundred_workers():
    for _ in range(100):
        warned, lines = findings("run", checked("Correct"))
        assert warned == []
        assert any("No thread safety issues detected" in line for line in lines)


def test_an_unmarked_method_is_warned_of_and_reported():
    warned, lines = findings("anything", checked("Unmarked"))
    assert len(warned) == 1
    assert "Method 'execute_tool' accessed by 2 different threads" in warned[0]
    assert any("- execute_tool: " in line for line in lines)


def test_the_guides_flag_switches_it_on_as_well():
    flagged = checked(
        "Counter", thread_safety_checks=None, adapter_args=["--thread-safety-check"]
    )
    assert len(findings("run", flagged)[0]) == 1


def test_without_checks_nothing_is_said():
    warned, lines = findings("run", checked("Counter", thread_safety_checks=False))
    assert warned == [] and lines == []


def test_an_unsafe_library_and_a_missing_declaration_are_told_once():
    options = {"adapter": "undeclared_frames.Frames", "thread_safety_checks": True}
    warned, lines = findings("run", pool("thread", **options))
    assert len([line for line in warned if "does not declare" in line]) == 1
    assert len([line for line in warned if "Unsafe library 'sqlite3'" in line]) == 1
    assert any("Warnings Issued: 2" in line for line in lines)


@pytest.mark.parametrize("tool", ["run", "run_async"])
def test_an_unsafe_library_that_a_tool_imports_is_told_once(tool):
    warned, lines = findings(tool, checked("ImportsLate"))
    assert len(warned) == 1
    assert "Unsafe library 'sqlite3'" in warned[0]
    assert any("Warnings Issued: 1" in line for line in lines)
