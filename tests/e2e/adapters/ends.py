# SPDX-License-Identifier: MIT
"""What user code leaves for the end of its process. Each leaves its word in a file."""

# ruff: noqa: SIM115 - they are left open

from __future__ import annotations

import atexit
import concurrent.futures.thread
import ctypes
import dbm.dumb
import gzip
import io
import logging
import logging.handlers
import multiprocessing.util
import os
import pathlib
import shelve
import tempfile
import threading
import time
import weakref
import zipfile
from collections.abc import Callable
from typing import Any

from snakepit_bridge import BaseAdapter, tool

WORD = "written"
kept: dict[str, Any] = {}  # to the end


class Torn:
    """Tells that the interpreter has been taken apart."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = os.fsencode(path)

    def __del__(self, mkdir: Callable[..., None] = os.mkdir) -> None:
        mkdir(self.path)


class Ends(BaseAdapter):
    __thread_safe__ = True
    in_class: Any = None

    @tool
    def leave(self, folder: str, what: list[str]) -> list[str]:
        """Does all of `what`; returns which files must be gone at the end."""
        self.folder = pathlib.Path(folder)
        self.gone: list[str] = []
        for name in what:
            getattr(self, f"leave_{name}")()
        return self.gone

    def leave_handlers(self) -> None:
        path = self.folder
        atexit.register((path / "atexit").write_text, WORD)
        kept["weak"] = {1}
        weakref.finalize(kept["weak"], (path / "finalize").write_text, WORD)
        multiprocessing.util.Finalize(
            None, (path / "multiprocessing").write_text, (WORD,), exitpriority=1
        )

    def leave_raising(self) -> None:
        def refuse() -> None:
            raise ValueError("no end")

        atexit.register(refuse)

    def leave_logging(self) -> None:
        target = logging.FileHandler(self.folder / "logging", delay=True)
        target.terminator = ""
        target.setFormatter(logging.Formatter("%(message)s"))
        handler = logging.handlers.MemoryHandler(1000, target=target)
        logger = logging.getLogger("ends.memory")
        logger.propagate = False
        logger.addHandler(handler)
        logger.warning(WORD)

    def leave_output(self) -> None:
        print("printed without an end", end="")

    def leave_threads(self) -> None:
        def at_end() -> None:
            threading.main_thread().join()  # until it has nothing left to do
            (self.folder / "thread").write_text(WORD)

        def before_end() -> None:
            while not concurrent.futures.thread._shutdown:
                time.sleep(0.001)
            (self.folder / "executor").write_text(WORD)

        threading.Thread(target=at_end).start()
        kept["pool"] = concurrent.futures.ThreadPoolExecutor(1)
        kept["pool"].submit(before_end)

    def leave_daemon(self) -> None:
        """A thread that waits for a line that never comes."""
        reader, kept["writer"] = os.pipe()
        kept["reader"] = open(reader)
        threading.Thread(target=kept["reader"].readline, daemon=True).start()

    def leave_stdio(self) -> None:
        """A buffer of the C library."""
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        file = library.fopen(os.fsencode(self.folder / "stdio"), b"w")
        library.fputs(WORD.encode(), ctypes.c_void_p(file))

    def opened(self, name: str) -> Any:
        file = open(self.folder / name, "w")
        file.write(WORD)
        return file

    def leave_files(self) -> None:
        self.file = self.opened("of instance")
        self.file_in_cycle = [self.opened("in a cycle"), self]
        type(self).in_class = self.opened("of class")
        globals()["file"] = self.opened("of module")
        kept["file"] = self.opened("kept")
        kept["bytes"] = open(self.folder / "bytes", "wb")
        kept["bytes"].write(WORD.encode())
        kept["detached"] = io.TextIOWrapper(io.BytesIO())
        kept["detached"].detach()

    def leave_archives(self) -> None:
        kept["gzip"] = gzip.open(self.folder / "gzip", "wt")
        kept["gzip"].write(WORD)
        kept["zip"] = zipfile.ZipFile(self.folder / "zip", "w")
        kept["zip"].writestr("word", WORD)
        entries = dbm.dumb.open(str(self.folder / "shelf"))
        kept["shelf"] = shelve.Shelf(entries, writeback=True)
        kept["shelf"]["word"] = WORD

    def leave_full(self) -> None:
        kept["full"] = open("/dev/full", "w")
        kept["full"].write(WORD)

    def leave_temporaries(self) -> None:
        kept["folder"] = tempfile.TemporaryDirectory()
        kept["temporary"] = tempfile.NamedTemporaryFile()
        self.temporary = tempfile.NamedTemporaryFile()
        self.gone += [
            kept["folder"].name,
            kept["temporary"].name,
            self.temporary.name,
        ]

    def leave_torn(self) -> None:
        globals()["torn"] = Torn(self.folder / "torn")
