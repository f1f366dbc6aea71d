# SPDX-License-Identifier: MIT
"""The examples of the guides, read from examples/*.txt, where they stand
letter by letter.

An example that shows a wrong way and a right one has two parts, each of which begins
with a comment that labels it. `adapters-12` is a whole example, `adapters-12 wrong` one
of its parts.
"""

from __future__ import annotations

import dataclasses
import functools
import re

from .places import EXAMPLES

HEADING = re.compile(r"## (?P<name>\w+-\d\d) \| (?P<section>.*)")
FENCE = re.compile(r"```(?P<language>\w*)$")
LABELS = {
    "wrong": re.compile(r"\s*# (❌|BAD\b)"),
    "correct": re.compile(r"\s*# (✅|GOOD\b)"),
}


@dataclasses.dataclass(frozen=True)
class Example:
    """One code block of a guide."""

    name: str
    section: str
    language: str
    text: str

    @property
    def guide(self) -> str:
        return self.name.partition("-")[0]

    @property
    def parts(self) -> dict[str, str]:
        """The labelled parts; an example that is all right or all wrong has none."""
        found: dict[str, list[str]] = {}
        part = ""
        for line in self.text.splitlines():
            part = label_of(line) or part
            found.setdefault(part, []).append(line)
        if {"wrong", "correct"} - found.keys():
            return {}
        return {part: "\n".join(lines) + "\n" for part, lines in found.items()}

    @property
    def names(self) -> list[str]:
        """What is to be tested of it: itself, or each of its parts."""
        return [f"{self.name} {part}" for part in self.parts] or [self.name]


def label_of(line: str) -> str | None:
    """The part that a line begins."""
    for part, pattern in LABELS.items():
        if pattern.match(line):
            return part
    return None


@functools.cache
def examples() -> dict[str, Example]:
    """All examples by name, in the guides' order."""
    found: dict[str, Example] = {}
    for guide in ("adapters", "workers"):
        for example in _read(guide):
            assert example.name not in found, f"{example.name} is there twice"
            found[example.name] = example
    return found


def title_of(guide: str) -> str:
    """The guide's own title."""
    with open(EXAMPLES / f"{guide}.txt", encoding="utf-8") as file:
        return file.readline().removeprefix("# ").strip()


def _read(guide: str) -> list[Example]:
    lines = iter((EXAMPLES / f"{guide}.txt").read_text(encoding="utf-8").splitlines())
    found = []
    for line in lines:
        heading = HEADING.fullmatch(line)
        if not heading:
            continue
        assert next(lines) == "", f"{heading['name']}: no blank line after the heading"
        fence = FENCE.match(next(lines))
        assert fence, f"{heading['name']}: no code"
        body = iter(lambda: next(lines), "```")
        text = "".join(f"{each}\n" for each in body)
        found.append(
            Example(heading["name"], heading["section"], fence["language"], text)
        )
    return found


def text_of(name: str) -> str:
    """The text of an example or of one of its parts: "adapters-12 wrong"."""
    whole, _, part = name.partition(" ")
    example = examples()[whole]
    return example.parts[part] if part else example.text
