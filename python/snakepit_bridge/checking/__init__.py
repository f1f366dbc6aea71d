# SPDX-License-Identifier: MIT
"""The parts of the thread safety checker; `snakepit_bridge.thread_safety_checker` is
what adapter authors use.
"""

from __future__ import annotations

import sys

from ..late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Callable

    from ..configuration import Configuration

FLAG = "--thread-safety-check"  # among adapter_args

_report: Callable[[], None] | None = None  # there is one while a worker checks


def is_wanted(configuration: Configuration) -> bool:
    """Whether the pool's configuration says that its workers check their adapter."""
    return configuration.thread_safety_checks or FLAG in configuration.adapter_args


def install(adapter_class: type, configuration: Configuration) -> None:
    """Makes a worker check its adapter if the pool's configuration says so; else does
    nothing at all.

    Call it when the adapter's module is imported and before its tools are collected.
    Warnings go to standard error as they come.
    """
    global _report
    if not is_wanted(configuration):
        return
    from .. import thread_safety_checker  # costs what others do not need

    checker = thread_safety_checker.enable_thread_safety_checks()
    if configuration.profile == "thread":
        checker.note_undeclared(adapter_class)  # the loader has warned already
    checker.watch(adapter_class)
    checker.check_library_safety()

    def report() -> None:
        checker.check_library_safety()  # coroutines and streams are not watched
        thread_safety_checker.print_thread_safety_report(checker, sys.stderr)

    _report = report


def print_report() -> None:
    """Prints what a checking worker has found, once, to standard error."""
    global _report
    show, _report = _report, None
    if show is not None:
        show()
