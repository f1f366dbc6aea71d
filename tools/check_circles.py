#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail when files of one module call each other in a circle.

A file that calls what another one defines stands above it. Where that leads back,
neither can be read, tested or changed without the other. `tools/layers.txt` does the
same for modules.
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()

# Calls that lead back on purpose: from, to. They do not count. Say why.
ALLOWED = {
    # A value of a class that crosses as a simpler one holds values of any kind: it is a
    # recursion. To cut it takes an indirect call for each item of a set or a model.
    ("codec_kinds.c", "encode.c"),
}

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
# What files share has one of our prefixes.
DEFINED = re.compile(
    r"^(?!static\b)[\w*][\w\s*]*?\b((?:sp|snakepit)_\w+)\([^;{}]*\)\s*\{",
    re.MULTILINE,
)


def files_of(folder: pathlib.Path) -> dict[str, tuple[set[str], set[str]]]:
    """For each C file of a module what it defines for others, and all its words."""
    found = {}
    for path in sorted(folder.glob("*.c")):
        text = NOISE.sub(" ", path.read_text())
        found[path.name] = (set(DEFINED.findall(text)), set(re.findall(r"\w+", text)))
    return found


def calls_in(folder: pathlib.Path) -> dict[str, set[str]]:
    """The files of the module that each one calls."""
    files = files_of(folder)
    owner = {name: file for file, (defined, _) in files.items() for name in defined}
    called = {
        file: {owner[word] for word in words if word in owner} - {file}
        for file, (_, words) in files.items()
    }
    return {
        file: {other for other in others if (file, other) not in ALLOWED}
        for file, others in called.items()
    }


def reached(calls: dict[str, set[str]], start: str) -> set[str]:
    """All files that a call from `start` can lead to."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for file in calls[todo.pop()] - seen:
            seen.add(file)
            todo.append(file)
    return seen


def circles(folder: pathlib.Path) -> list[str]:
    """One line for each call of a module that leads back to the file it comes from."""
    calls = calls_in(folder)
    where = folder.relative_to(root)
    return [
        f"{where}/{file}: calls {other}, from which a call leads back"
        for file in calls
        for other in sorted(calls[file])
        if file in reached(calls, other)
    ]


folders = [path for path in sorted((root / "src").iterdir()) if path.is_dir()]
wrong = [
    line for folder in [*folders, root / "python/native"] for line in circles(folder)
]
print("\n".join(wrong) or "circles: ok")
sys.exit(bool(wrong))
