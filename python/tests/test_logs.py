# SPDX-License-Identifier: MIT
"""Which lines say their level. That the host reads it is for the e2e tests."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from snakepit_bridge import logs


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error of a worker."""
    made = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", made)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    logs.install()
    yield made
    del logging.StreamHandler.format  # type: ignore[attr-defined]


@pytest.fixture
def log() -> logging.Logger:
    made = logging.Logger("words", logging.DEBUG)
    made.propagate = False
    return made


def test_each_line_of_a_record_says_its_level(
    stream: io.StringIO, log: logging.Logger
) -> None:
    log.addHandler(logging.StreamHandler(stream))
    for number in (5, 10, 20, 30, 40, 50):
        log.log(number, "a %d\nb", number)
    assert [line[:2] for line in stream.getvalue().splitlines()] == [
        *("\x010", "\x010", "\x011", "\x011"),
        *("\x012", "\x012", "\x013", "\x013", "\x013", "\x013"),
    ]


def test_what_goes_elsewhere_is_as_it_was(
    stream: io.StringIO, log: logging.Logger, tmp_path: Any
) -> None:
    path = tmp_path / "log"
    other = io.StringIO()
    log.addHandler(logging.FileHandler(path))
    log.addHandler(logging.StreamHandler(other))
    log.error("broken")
    assert path.read_text() == other.getvalue() == "broken\n"
    warnings.showwarning("odd", UserWarning, "a.py", 1, other, "line")
    assert other.getvalue().endswith("a.py:1: UserWarning: odd\n  line\n")
    assert stream.getvalue() == ""


def test_warnings_say_theirs(stream: io.StringIO) -> None:
    warnings.showwarning("odd", UserWarning, "a.py", 1, stream, "line")
    assert stream.getvalue() == "\x012a.py:1: UserWarning: odd\n\x012  line\n"


def test_without_standard_error_a_warning_is_lost(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    warnings.showwarning("odd", UserWarning, "a.py", 1)
