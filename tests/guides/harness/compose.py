# SPDX-License-Identifier: MIT
"""Adapter modules made of the examples and of what surrounds them.

adapters/NAME.py.in is the module NAME with the examples left out. A line

    # {{ adapters-05 }}

stands for the text of that example, at the line's own indentation. Around it are only
imports, names that the guide takes for granted, and, where the guide shows a method
alone, the class that it belongs to. The module is written as a file, so that
tracebacks, `inspect` and static analysis see the guide's own lines.
"""

from __future__ import annotations

import pathlib
import re
import textwrap

from .examples import text_of
from .places import ADAPTERS

PLACE = re.compile(r"^(?P<indent> *)# \{\{ (?P<name>[^}]+) \}\}\n", re.MULTILINE)


def compose(surroundings: str) -> str:
    """The text of a module."""

    def fill(place: re.Match[str]) -> str:
        return textwrap.indent(text_of(place["name"]), place["indent"])

    return PLACE.sub(fill, surroundings)


def compose_all(folder: pathlib.Path) -> None:
    """Writes all modules into a folder."""
    for source in sorted(ADAPTERS.glob("*.py.in")):
        text = compose(source.read_text(encoding="utf-8"))
        (folder / source.name.removesuffix(".in")).write_text(text, encoding="utf-8")
