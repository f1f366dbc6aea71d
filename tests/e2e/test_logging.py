# SPDX-License-Identifier: MIT
"""What adapters log and warn of has its own level in the host's log."""

from __future__ import annotations

from support import eventually, pool


def open_one(open_pit, kind, adapter, **options):
    return open_pit(pool(kind, adapter=f"logging_tools.{adapter}", **options))


def levels_of(pit, *texts):
    """The level of the first line that has each text, once all of them are there."""

    def found():
        return [
            next((line for line in list(pit.lines) if text in line.text), None)
            for text in texts
        ]

    eventually(lambda: all(found()), f"lines with {texts}")
    return [line.level for line in found()]


def test_records_have_their_level_and_so_has_each_of_their_lines(open_pit, kind):
    pit = open_one(open_pit, kind, "Plain")
    pit.call("log")
    assert levels_of(
        pit, "be careful", "it went wrong", "KeyError: 'lost'", "by the root"
    ) == ["warning", "error", "error", "error"]
    assert levels_of(pit, 'line="begun"', 'line="printed"') == ["info", "info"]
    assert not any("of no interest" in line.text for line in pit.lines)
    assert not any("\x01" in line.text or "?3" in line.text for line in pit.lines)


def test_any_text_may_be_printed(open_pit, kind):
    latin = {"PYTHONIOENCODING": "latin-1"}
    pit = open_one(open_pit, kind, "Plain", adapter_env=latin)
    assert pit.call("name_a_price") is None
    assert levels_of(pit, 'line="10 €"') == ["info"]


def test_warnings_are_warnings(open_pit, kind):
    pit = open_one(open_pit, kind, "Plain")
    pit.call("warn")
    assert levels_of(pit, "UserWarning: nor this", "UserWarning: at the import") == [
        "warning",
        "warning",
    ]


def test_an_adapter_sets_logging_up_as_any_program(open_pit, kind):
    pit = open_one(open_pit, kind, "Configured")
    assert pit.call("levels") == 1
    pit.call("warn")
    assert levels_of(
        pit, *[f'line="words|level {number}"' for number in (20, 30, 40, 50)]
    ) == ["info", "warning", "error", "error"]
    assert levels_of(pit, "py.warnings|") == ["warning"]
    assert not any('"words|level 10"' in line.text for line in pit.lines)


def test_a_log_of_warnings_has_them_and_not_what_is_printed(open_pit):
    pit = open_pit(pool(adapter="logging_tools.Plain"), listens=None)
    pit.call("log")
    pit.call("warn")
    assert levels_of(pit, "nor this", "by the root") == ["warning", "error"]
    assert not any("begun" in line.text for line in pit.lines)
