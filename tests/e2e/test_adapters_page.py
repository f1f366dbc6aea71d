# SPDX-License-Identifier: MIT
"""docs/adapters.md: each of its files and configurations is used as it is printed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from support import Pit, eventually
from support.host_tools import HostFault, register
from support.places import ROOT, SYSTEM

PAGE = ROOT / "docs/adapters.md"
BLOCK = re.compile(r"^```(python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^`(\w+\.\w+)`[^\n]*:\n\n\Z", re.MULTILINE)


def blocks() -> tuple[dict[str, str], dict[str, str]]:
    """The page's Python by file name, and its configurations by the pool's name."""
    text = PAGE.read_text(encoding="utf-8")
    files, pools = {}, {}
    for block in BLOCK.finditer(text):
        if block[1] == "python":
            name = NAME.search(text[: block.start()])
            assert name, f"a block without a file name: {block[2][:60]}"
            files[name[1]] = block[2]
        else:
            pool = re.search(r"- name: (\w+)", block[2])
            assert pool, f"a configuration without a pool: {block[2]}"
            pools[pool[1]] = block[2]
    return files, pools


FILES, POOLS = blocks()


def says(tool: str, arguments: dict[str, Any], wanted: Any, **options: Any) -> Callable:
    """A check: a call of the tool gives what is wanted."""

    def check(pit: Pit) -> None:
        assert pit.call(tool, arguments, **options) == wanted

    return check


def streams(tool: str, arguments: dict[str, Any], wanted: list[Any]) -> Callable:
    """A check: a stream of the tool gives these chunks."""

    def check(pit: Pit) -> None:
        with pit.stream(tool, arguments) as stream:
            assert stream.rest() == (wanted, None)

    return check


def emits(name: str, measurements: dict[str, Any] | None = None) -> Callable:
    """A check: an event has come, or does."""

    def check(pit: Pit) -> None:
        eventually(lambda: any(event.name == name for event in list(pit.events)))
        (event,) = [event for event in pit.events if event.name == name]
        assert measurements is None or event.measurements == measurements

    return check


def scales(pit: Pit) -> None:
    array = numpy.arange(6.0).reshape(2, 3)
    assert pit.call("mean", {"array": array}) == 2.5
    assert (pit.call("scaled", {"array": array, "factor": 2.0}) == array * 2).all()


def stops_early(pit: Pit) -> None:
    call = pit.submit("primes", {"limit": 10_000_000})
    pit.cancel(call)
    assert call.wait().err == "CANCELLED"
    assert pit.call("primes", {"limit": 10}) == [2, 3, 5, 7]


def knows_prices(pit: Pit) -> None:
    prices = {"egg": 0.5, "ham": 3.0}

    def price_of(info: Any, item: str) -> float:
        if item not in prices:
            raise HostFault("NOT_FOUND", f"nobody sells {item}")
        return prices[item]

    register(pit, "price_of", price_of)


CHECKS: dict[str, list[Callable[[Pit], None]]] = {
    "words": [says("count", {"text": "one two three"}, 3)],
    "greeter": [says("greet", {"name": "Ada"}, "Good day, Ada.")],
    "letters": [says("letter", {"name": "Ada"}, "Dear Ada,\nthank you.")] * 2,
    "lexicon": [
        says("meaning", {"word": "snake"}, "a long animal"),
        says("meaning", {"word": "pit"}, "unknown"),
    ],
    "counting": [
        says("count", {"text": "the cat and the dog"}, 2),
        says("count", {"text": "the cat"}, 1),
        says("most_common", {"limit": 1}, [["cat", 2]]),
    ],
    "scoring": [
        says("score", {"row": numpy.ones(4, "float32")}, 6.0),
        says("parse", {"text": "1.5"}, 1.5),
    ],
    "arrays": [scales],
    "primes": [
        says("primes", {"limit": 20}, [2, 3, 5, 7, 11, 13, 17, 19]),
        says("primes", {"limit": 20}, [], timeout_ms=40),
        stops_early,
    ],
    "fetching": [
        says("fetch_all", {"names": ["a", "b"]}, ["a for me", "b for me"], session="me")
    ],
    "series": [
        streams("squares", {"count": 4}, [0, 1, 4, 9]),
        streams("letters", {"text": "abc"}, ["a", "b", "c"]),
        streams(
            "steps",
            {"count": 1},
            [{"data": {"step": 1}, "is_final": True, "metadata": {"of": 1}}],
        ),
        says("squares", {"count": 4}, [0, 1, 4, 9]),
    ],
    "carts": [
        says("whose", {}, "nobody's"),
        says("whose", {}, "Ada", session="Ada"),
        says("add", {"item": "egg"}, ["egg"], session="Ada"),
        says("add", {"item": "ham"}, ["egg", "ham"], session="Ada"),
        says("kept", {}, ["cart"], session="Ada"),
        says("empty", {}, True, session="Ada"),
        says("kept", {}, [], session="Ada"),
    ],
    "prices": [
        knows_prices,
        says("total", {"items": ["egg", "ham"]}, 3.5),
        says("total_if_known", {"items": ["egg", "spam"]}, "NOT_FOUND"),
        says("total_without_blocking", {"items": ["egg", "egg"]}, 1.0),
    ],
    "embeddings": [
        says("embed", {"texts": ["ab", "c"]}, [[97, 98], [99]]),
        emits("cache.lookup", {"hits": 0, "misses": 2}),
        emits("inference.stop"),
    ],
    "older": [
        says("add", {"a": 1, "b": 2}, 3),
        says("other", {}, "no other here"),
    ],
}


# How many are in each.
TESTS = {"test_counting.py": 1, "test_primes.py": 1, "test_carts.py": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's files, as somebody who follows it has them."""
    monkeypatch.setenv("SNAKEPIT_PYTHON", SYSTEM)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name, text in POOLS.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "words.json").write_text('{"snake": "a long animal"}')
    return tmp_path


def test_every_configuration_of_the_page_is_tried():
    assert set(POOLS) == set(CHECKS)


def test_every_file_of_the_page_is_used():
    used = {re.search(r"adapter: (\w+)\.", text)[1] for text in POOLS.values()}
    assert {name for name in FILES if name[:-3] not in used} == set(TESTS)


@pytest.mark.parametrize("name", POOLS)
def test_the_pages_adapters_do_what_it_says(opened, folder, name):
    pit = Pit.open_file(folder / f"{name}.yaml", listens=True)
    opened.append(pit)
    pit.await_ready()
    for check in CHECKS[name]:
        check(pit)


@pytest.mark.parametrize("name", TESTS)
def test_the_pages_tests_pass(folder, name):
    done = subprocess.run(
        [SYSTEM, "-m", "pytest", "-q", "-p", "no:cacheprovider", name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{TESTS[name]} passed" in done.stdout
