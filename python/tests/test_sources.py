# SPDX-License-Identifier: MIT
"""Which files a worker's code came from."""

from __future__ import annotations

import json
import sys
import types
from typing import TYPE_CHECKING

import pytest
from snakepit_bridge import sources
from snakepit_bridge.configuration import Configuration

if TYPE_CHECKING:
    from pathlib import Path


def imported(monkeypatch: pytest.MonkeyPatch, name: str, path: Path) -> str:
    """A module that claims to have been imported from that file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    module = types.ModuleType(name)
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, name, module)
    return str(path)


def test_the_adapters_modules_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = imported(monkeypatch, "shop", tmp_path / "shop.py")
    part = imported(monkeypatch, "shop.part", tmp_path / "shop" / "part.py")
    found = sources.of_process(Configuration())
    assert {adapter, part} <= set(found)


def test_neither_pythons_own_nor_the_bridges_are() -> None:
    found = sources.of_process(Configuration())
    assert json.__file__ not in found
    assert sources.__file__ not in found


def test_an_installed_package_is_told_by_its_first_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages" / "tool"
    package = imported(monkeypatch, "tool", folder / "__init__.py")
    part = imported(monkeypatch, "tool.part", folder / "part.py")
    found = sources.of_process(Configuration())
    assert package in found
    assert part not in found


def test_resources_count_and_what_is_no_file_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = imported(monkeypatch, "gone", tmp_path / "gone.py")
    (tmp_path / "gone.py").unlink()
    (tmp_path / "model").write_text("")
    monkeypatch.setitem(sys.modules, "odd", object())  # type: ignore[arg-type]
    settings = Configuration(
        preload_resources=[("model", "m"), ("none", "m")], paths=[str(tmp_path)]
    )
    found = sources.of_process(settings)
    assert found[0] == str(tmp_path / "model")
    assert gone not in found
    assert str(tmp_path / "none") not in found
