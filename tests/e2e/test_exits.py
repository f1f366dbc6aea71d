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
from support.configs import default_python

WORD = "written"
FORKED = ("process", "process-ft")
WORKERS = (
    *((kind, template) for kind in FORKED for template in ("auto", "off")),
    ("thread", "off"),
)


@pytest.fixture(params=WORKERS, ids=" ".join)
def leave(request, open_pit, tmp_path):
    """Has a worker leave things for its end, and ends it."""
    kind, template = request.param
    options = {} if kind == "thread" else {"template": template}
    options["python"] = default_python(kind)

    def leave_all(*what):
        pit = open_pit(pool(kind, adapter="ends.Ends", stop_grace_ms=60_000, **options))
        assert not pit.logged("template.unused")
        gone = pit.call("leave", {"folder": str(tmp_path), "what": list(what)})
        pit.close(60_000)
        (line,) = pit.logged("worker.exit")
        assert "code=0 signal=0" in line
        assert [name for name in gone if os.path.exists(name)] == []
        return pit

    return leave_all


def texts_in(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def lines_of(pit, stream):
    return "\n".join(pit.logged(f"worker.{stream}"))


def test_handlers_run(leave, tmp_path):
    leave("handlers", "logging", "temporaries")
    names = ("atexit", "finalize", "multiprocessing", "logging")
    assert texts_in(tmp_path) == dict.fromkeys(names, WORD)


def test_what_a_handler_raises_is_printed_and_the_others_run(leave, tmp_path):
    pit = leave("handlers", "raising", "temporaries")
    assert "ValueError: no end" in lines_of(pit, "stderr")
    assert (tmp_path / "atexit").read_text() == WORD


def test_threads_are_waited_for(leave, tmp_path):
    leave("threads")
    assert texts_in(tmp_path) == dict.fromkeys(("thread", "executor"), WORD)


def test_output_without_an_end_arrives(leave):
    pit = leave("output")
    assert 'line="printed without an end"' in lines_of(pit, "stdout")


@pytest.mark.parametrize("more", [(), ("daemon",)])
def test_files_that_are_left_open_are_written(leave, tmp_path, more):
    leave("files", "stdio", *more)
    names = "of instance,in a cycle,of class,of module,kept,bytes,stdio"
    assert texts_in(tmp_path) == dict.fromkeys(names.split(","), WORD)


def test_archives_that_are_left_open_are_whole(leave, tmp_path):
    pit = leave("archives")
    with gzip.open(tmp_path / "gzip", "rt") as file:
        assert file.read() == WORD
    with zipfile.ZipFile(tmp_path / "zip") as archive:
        assert archive.read("word") == WORD.encode()
    with shelve.Shelf(dbm.dumb.open(str(tmp_path / "shelf"), "r")) as shelf:
        assert shelf["word"] == WORD
    assert lines_of(pit, "stderr") == ""


def test_a_file_that_cannot_be_written_is_named(leave, tmp_path):
    pit = leave("full", "files")
    assert "snakepit: /dev/full was left open, and its end is lost: OSError" in (
        lines_of(pit, "stderr")
    )
    assert (tmp_path / "kept").read_text() == WORD


@pytest.mark.parametrize("kind", FORKED, indirect=True)
@pytest.mark.parametrize("more", [(), ("daemon",)])
def test_a_forked_worker_does_not_take_its_interpreter_apart(
    open_pit, kind, tmp_path, more
):
    pit = open_pit(pool(kind, adapter="ends.Ends"))
    pit.call("leave", {"folder": str(tmp_path), "what": ["torn", *more]})
    pit.recycle()
    eventually(lambda: len(pit.logged("worker.exit")) == 1, "the worker ends")
    (line,) = pit.logged("worker.exit")
    assert "code=0 signal=0" in line
    # Without a GIL only the interpreter can stop the other thread.
    assert (tmp_path / "torn").exists() == (kind == "process-ft" and more != ())
