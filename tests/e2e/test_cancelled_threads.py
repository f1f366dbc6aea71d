# SPDX-License-Identifier: MIT
"""A thread that the program ends inside the library leaves nothing locked."""

from __future__ import annotations

from support import pool, programs


def test_threads_that_are_cancelled_inside_of_it_leave_the_pit_working(
    tmp_path, profile
):
    program = programs.build("cancelled_callers", tmp_path)
    said = programs.run(program, pool(profile, cancel_grace_ms=100))
    assert said.split("\n") == ["it works", "closed", ""]
