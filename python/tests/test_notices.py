# SPDX-License-Identifier: MIT
from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import pytest
import snakepit_bridge
from snakepit_bridge import notices, runtime

SOURCES = Path(snakepit_bridge.__file__).parent


def test_a_notice_is_a_warning_of_the_one_who_asked() -> None:
    with pytest.warns(RuntimeWarning, match="mind the step") as seen:
        notices.warn("mind the step")
    assert seen[0].filename == __file__


def test_in_a_test_it_becomes_an_error_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "is_standalone", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="mind the step"):
            notices.warn("mind the step")


def test_in_a_worker_it_never_becomes_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "is_standalone", lambda: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notices.warn("mind the step")
    assert capsys.readouterr().err == "RuntimeWarning: mind the step\n"


def test_in_a_worker_it_keeps_its_level_where_warnings_are_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "is_standalone", lambda: False)
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(sys, "__stderr__", written)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notices.warn("mind\nthe step")
    assert written.getvalue() == "\x012RuntimeWarning: mind\n\x012the step\n"


def test_the_bridge_warns_in_no_other_way() -> None:
    found = [
        path.name
        for path in SOURCES.rglob("*.py")
        if "warnings.warn(" in path.read_text(encoding="utf-8")
    ]
    assert found == ["notices.py"]


def test_nor_where_the_adapter_has_closed_its_output(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(runtime, "is_standalone", lambda: False)
    monkeypatch.setattr(sys, "stderr", closed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notices.warn("mind the step")
    assert capfd.readouterr().err == "RuntimeWarning: mind the step\n"
