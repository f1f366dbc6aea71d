# SPDX-License-Identifier: MIT
"""``python -m snakepit_bridge.new_adapter NAME``, which the command ``snakepit
new-adapter`` runs: writes an adapter that works, its test, and a configuration.

Exit codes: 0, written; 1, a file is there already; 2, the name will not do; 6, a file
could not be written.
"""

from __future__ import annotations

import argparse
import json
import keyword
import os
import re
import shlex
import sys
from errno import EEXIST, ENOTDIR
from pathlib import Path

from . import terminal

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)

ADAPTER = '''\
"""The adapter {class_name}: what its tools do, for those who call them."""

from __future__ import annotations

from snakepit_bridge import ThreadSafeAdapter, thread_safe_method, tool


class {class_name}(ThreadSafeAdapter):
    """Counts words."""

    # True for this class as it is written; keep it so.
    __thread_safe__ = True

    def initialize(self) -> None:
        """Runs once, before the first call: load models and open files here."""
        # Read by all threads, changed by none: needs no lock.
        self.stop_words = frozenset(self.config.get("stop_words", []))
        # Changed by all threads: only under the lock.
        self.counted = 0

    @tool
    @thread_safe_method
    def count(self, text: str = "") -> dict:
        """How many words a text has, and how many this worker has counted so far."""
        words = sum(word not in self.stop_words for word in text.split())
        with self.acquire_lock():
            self.counted += words
            return {{"words": words, "counted": self.counted}}
'''

TEST = '''\
"""Tests of {class_name}. Run them with: python -m pytest test_{name}.py"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from {name} import {class_name}
from snakepit_bridge.thread_safety_checker import ThreadSafetyChecker


@pytest.fixture
def adapter():
    made = {class_name}()
    made.initialize()
    return made


def test_counts_the_words_of_a_text(adapter):
    assert adapter.count(text="one two three")["words"] == 3


def test_stop_words_do_not_count(adapter):
    adapter.config = {{"stop_words": ["the"]}}
    adapter.initialize()
    assert adapter.count(text="the cat and the dog")["words"] == 3


def test_loses_no_count_on_several_threads(adapter):
    with ThreadSafetyChecker(strict_mode=True) as checker:
        with ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(adapter.count, text="a b") for _ in range(100)]
            for call in calls:
                call.result()
    assert adapter.count()["counted"] == 200
    assert checker.get_report()["warnings"] == []
'''

CONFIGURATION = """\
pools:
  - name: {name}
    adapter: {name}:{class_name}
{python}    # Several calls at once in one process, on a free-threaded Python; on
    # another one the pool becomes as many processes.
    worker_profile: thread
    pool_size: 1
    threads_per_worker: 4
    adapter_config:
      stop_words: [the, a, an]
"""


def main(words: list[str]) -> int:
    """Reads the command line and writes the files. Gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="snakepit new-adapter", allow_abbrev=False, description=__doc__
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--dir", default=".", metavar="FOLDER")
    parser.add_argument("--python", default="", metavar="PATH")
    given = parser.parse_args(words)
    problem = problem_with(given.name)
    if problem:
        return terminal.complain(problem, terminal.USAGE)
    folder = Path(given.dir)
    try:
        written = write(given.name, folder, given.python)
    except FileExistsError as error:
        text = f"{error.filename} is there already, and nothing was written"
        return terminal.complain(text, terminal.FAILED)
    except OSError as error:
        text = f"{error.filename or folder}: {error.strerror}"
        return terminal.complain(text, terminal.SYSTEM)
    print("\n".join([*(f"wrote {path}" for path in written), "", "Next:"]))
    for command in next_commands(given.name, folder, given.python):
        print(f"  {command}")
    return terminal.OK


def problem_with(name: str) -> str:
    """Why a module cannot have this name; empty if it can."""
    if not NAME.fullmatch(name):
        return (
            f"an adapter's name has 1 to 63 of a-z, 0-9 and _, a letter first: {name!r}"
        )
    if keyword.iskeyword(name):
        return f"{name!r} is a word of Python's own"
    # Of 3.9 only what is built in is known.
    taken = getattr(sys, "stdlib_module_names", sys.builtin_module_names)
    if name in taken or name in ("snakepit_bridge", "pytest"):
        return f"{name!r} is another module's name; the adapter would hide it"
    return ""


def class_name_of(name: str) -> str:
    """The class of a module: "word_counter" has WordCounter."""
    return "".join(part.capitalize() for part in name.split("_"))


def write(name: str, folder: Path, python: str = "") -> list[Path]:
    """Writes the three files and the folder, if it is missing; gives their paths.

    `python`: the interpreter that the configuration names; empty: none.

    Raises FileExistsError, before anything is written, if one of them is there; OSError
    if one cannot be written, and then leaves none behind.
    """
    names = {"name": name, "class_name": class_name_of(name), "python": ""}
    if python:
        names["python"] = f"    python: {json.dumps(python)}\n"
    texts = {
        folder / f"{name}.py": ADAPTER.format(**names),
        folder / f"test_{name}.py": TEST.format(**names),
        folder / f"{name}.yaml": CONFIGURATION.format(**names),
    }
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(folder))
    for path in texts:
        if os.path.lexists(path):
            raise FileExistsError(EEXIST, os.strerror(EEXIST), str(path))
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError:
        for path in written:
            path.unlink()
        raise
    return written


def next_commands(name: str, folder: Path, python: str = "") -> list[str]:
    """What to type now, one after the other in the same shell."""
    option = f" --python {shlex.quote(python)}" if python else ""
    change = [] if folder == Path(".") else [f"cd {shlex.quote(str(folder))}"]
    argument = shlex.quote('{"text": "one two three"}')
    return [
        *change,
        f"snakepit check-adapter {name}:{class_name_of(name)}{option}",
        f"snakepit call {name} count {argument} --config {name}.yaml",
        f"snakepit serve {name}.yaml",
    ]


def command() -> int:
    """The command, with the words of the process."""
    return terminal.finish(lambda: main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(command())
