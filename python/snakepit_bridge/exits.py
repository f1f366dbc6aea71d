# SPDX-License-Identifier: MIT
"""How a worker's process ends.

The interpreter's own end writes to nearly all that a forked worker shares with its
template, so that the kernel must copy it: that takes longer than the start. So the
worker does itself what user code may rely on, and leaves by C's `exit()`. The
interpreter is then never taken apart: `__del__` does not run where something lives to
the end, which Python does not promise either.
"""

from __future__ import annotations

import _io
import atexit
import sys
import threading

from . import runtime
from .late import TYPE_CHECKING
from .objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Files that are none of `io`, by the module that has them.
OTHER_FILES = (
    ("shelve", "Shelf"),
    ("tempfile", "_TemporaryFileWrapper"),
    ("zipfile", "ZipFile"),
)
BUFFERS = (_io.BufferedWriter, _io.BufferedRandom, _io.BufferedRWPair)
IN_MEMORY = (_io.BytesIO, _io.StringIO)


def finish() -> None:
    """What the interpreter does for user code at its end, in the same order: threads
    are waited for and exit handlers run. Then files are written. Main thread, once.
    """
    attempt(threading._shutdown)  # type: ignore[attr-defined]
    attempt(atexit._run_exitfuncs)
    attempt(write_files)
    flush_output()


def leave(status: int) -> int:
    """Ends this process, which was forked, with that status when all is done.

    Returns it where threads run on that nothing but the interpreter can stop.
    """
    finish()
    if not others_run():
        runtime.native.exit(status)
    return status


def others_run() -> bool:
    """Whether daemon threads would run Python while C code is taken down. Where there
    is a GIL the thread that leaves keeps it.
    """
    ask = getattr(sys, "_is_gil_enabled", None)
    return ask is not None and not ask() and len(sys._current_frames()) > 1


def attempt(step: Callable[[], object]) -> None:
    """Does one step; prints what it raises, as the interpreter would."""
    try:
        step()
    except BaseException:
        sys.excepthook(*sys.exc_info())


def flush_output() -> None:
    """Hands the host what standard output and standard error hold back."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except Exception:
            pass  # it is closed, or the adapter's, and not quite a stream


# ---- Files ---------------------------------------------------------------------------


def write_files() -> None:
    """Writes what files hold back that user code has left open, the outer ones first.
    Those that cannot be written are named in the log.

    A forked worker has opened them itself, for a template with a file that is open for
    writing is none; so those that are frozen need no look.
    """
    objects = Objects()
    lost: dict[str, Exception] = {}
    for file in objects.of(*other_files()):
        write(file, file.close, lost)
    files = [file for file in objects.of(_io._IOBase) if may_hold_back(file)]
    buffers = [file for file in files if isinstance(file, BUFFERS)]
    for file in files:
        if isinstance(file, _io._TextIOBase):
            write(file, file.flush, lost)
    for file in files:
        if not isinstance(file, (_io._TextIOBase, _io._RawIOBase, *BUFFERS)):
            write(file, file.close, lost)  # it compresses, and has a last word to write
    for file in filter(may_hold_back, buffers):  # or that has closed it
        write(file, file.flush, lost)
    for name, error in lost.items():
        text = f"snakepit: {name} was left open, and its end is lost: {error!r}"
        print(text, file=sys.stderr)


def write(file: Any, last: Callable[[], object], lost: dict[str, Exception]) -> None:
    """Calls `last`; notes what it raises, once for a file and what is below it."""
    try:
        last()
    except Exception as error:
        name = getattr(file, "name", None) or type(file).__qualname__
        lost.setdefault(str(name), error)


def other_files() -> list[type]:
    """The classes of `OTHER_FILES` that have been imported."""
    modules = ((sys.modules.get(module), name) for module, name in OTHER_FILES)
    return [getattr(module, name) for module, name in modules if hasattr(module, name)]


def may_hold_back(file: Any) -> bool:
    """Whether somebody could have written to it. One that is only read is left alone:
    a thread that waits for its next line would hold us up.
    """
    if isinstance(file, IN_MEMORY):
        return False
    try:
        return not file.closed and bool(file.writable())
    except Exception:
        return False  # it has no file below it any more
