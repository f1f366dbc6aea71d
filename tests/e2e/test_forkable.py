# SPDX-License-Identifier: MIT
"""What an import leaves is each worker's own, whether it is forked or not.

tests/native/test_forkable.py has all that speaks against a fork.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support import pool

RECORDS = 500
FORKING = ("process", "process-ft")


@pytest.fixture(params=FORKING)
def forking(request):
    """Each kind of pool that forks its workers."""
    return request.param


@pytest.fixture
def path(tmp_path):
    """A file of records that hold their own numbers."""
    found = tmp_path / "records.txt"
    found.write_text("".join(f"{number:<16}" for number in range(RECORDS)))
    return found


@pytest.fixture(params=["import", "resource"])
def doing(request, path):
    """Options of a pool whose import, or whose resource, does a deed."""

    def options(deed):
        if request.param == "import":
            return {"adapter_env": {"DEED": deed, "FILE": str(path)}}
        return {"preload_resources": [[str(path), deed]]}

    return options


def opens(kind="process", **options):
    return pool(kind, adapter="opens.Opens", **options)


def test_each_worker_finds_a_file_where_the_import_left_it(open_pit, forking, doing):
    pit = open_pit(opens(forking, **doing("file")))
    for _ in range(3):
        assert pit.call("is_forked") is True
        assert [pit.call("next") for _ in range(3)] == [1, 2, 3]
        pit.kill_workers()


def test_workers_read_a_file_of_the_import_at_once(open_pit, forking, doing):
    pit = open_pit(opens(forking, pool_size=4, **doing("file")))
    wanted = [number % RECORDS for number in range(4000)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: pit.call("record", {"i": i}), wanted))
    assert found == wanted


@pytest.mark.parametrize(
    ("deed", "said"),
    [("writes", "records.txt open for writing"), ("generator", "(random.Random)")],
)
def test_what_workers_cannot_have_for_themselves_is_not_forked(
    open_pit, doing, deed, said
):
    pit = open_pit(opens(**doing(deed)))
    assert pit.call("is_forked") is False
    (line,) = pit.logged("template.unused")
    assert said in line
    assert "initialize()" in line


@pytest.mark.parametrize(("deed", "different"), [("generator", 3), ("seed", 1)])
def test_numbers_of_the_import_are_those_of_a_fresh_interpreter(
    open_pit, doing, deed, different
):
    pit = open_pit(opens(**doing(deed)))
    seen = set()
    for _ in range(3):
        seen.add(pit.call("number"))
        pit.kill_workers()
    assert len(seen) == different
