# SPDX-License-Identifier: MIT
"""What user code has left for the end of its process is done, in every kind of pool,
though a forked worker does not take its interpreter apart.
"""

from __future__ import annotations

import dbm.dumb
import gzip
import os
import shelve
import zipfile

import pytest
from support import eventually, pool

WORD = "written"
FORKED = ("process", "process-ft")
WORKERS = [
    *((kind, template) for kind in FORKED for template in ("auto", "off")),
    ("thread", "off"),
]


EVERYTHING = (
    *("handlers", "raising", "logging", "threads", "output", "stdio", "files"),
    *("archives", "full", "temporaries"),
)
TEXTS = (
    *("atexit", "finalize", "multiprocessing", "logging", "thread", "executor"),
    *("stdio", "of instance", "in a cycle", "of class", "of module", "kept", "bytes"),
)


def open_one(open_pit, kind, **options):
    # A busy machine does not use these up.
    patient = {"start_timeout_ms": 120_000, "stop_grace_ms": 60_000}
    return open_pit(pool(kind, adapter="ends.Ends", **patient, **options))


def await_end(pit):
    """Until its worker has ended as it should."""
    eventually(lambda: pit.logged("worker.exit"), "the worker ends", 60.0)
    (line,) = pit.logged("worker.exit")
    assert "code=0 " in line and "signal=" not in line


def check_archives(folder):
    with gzip.open(folder / "gzip", "rt") as file:
        assert file.read() == WORD
    with zipfile.ZipFile(folder / "zip") as archive:
        assert archive.read("word") == WORD.encode()
    with shelve.Shelf(dbm.dumb.open(str(folder / "shelf"), "r")) as shelf:
        assert shelf["word"] == WORD


@pytest.mark.parametrize("kind, template", WORKERS)
def test_all_is_done_that_was_left_for_the_end(open_pit, kind, template, tmp_path):
    options = {} if kind == "thread" else {"template": template}
    pit = open_one(open_pit, kind, **options)
    assert not pit.logged("template.unused")
    gone = pit.call("leave", {"folder": str(tmp_path), "what": EVERYTHING})
    pit.recycle()
    await_end(pit)
    assert [name for name in gone if os.path.exists(name)] == []
    assert {name: (tmp_path / name).read_text() for name in TEXTS} == dict.fromkeys(
        TEXTS, WORD
    )
    check_archives(tmp_path)
    assert 'line="printed without an end"' in "\n".join(pit.logged("worker.stdout"))
    printed = "\n".join(pit.logged("worker.stderr"))
    assert "ValueError: no end" in printed
    assert printed.count("snakepit:") == 1
    assert "snakepit: /dev/full was left open, and its end is lost: OSError" in printed


@pytest.mark.parametrize("kind", FORKED)
@pytest.mark.parametrize("more", [(), ("daemon",)])
def test_a_forked_worker_does_not_take_its_interpreter_apart(
    open_pit, kind, tmp_path, more
):
    pit = open_one(open_pit, kind)
    what = ("torn", "handlers", "files", *more)
    pit.call("leave", {"folder": str(tmp_path), "what": what})
    pit.recycle()
    await_end(pit)
    # Without a GIL only the interpreter can stop the other thread.
    assert (tmp_path / "torn").exists() == (kind == "process-ft" and more != ())
    assert (tmp_path / "atexit").read_text() == (tmp_path / "kept").read_text() == WORD
