#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/library-compatibility.md from the bridge's table of libraries.

With --check it writes nothing and fails if the page is not what it would write.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

TABLE = "python/snakepit_bridge/library_compatibility.json"
PAGE = "docs/library-compatibility.md"

HEAD = f"""\
<!-- Made by tools/gen_library_docs.py from {TABLE}. -->

# Libraries and threads

Which libraries the tools of a thread pool can use, and how. The thread safety checker
warns of those in the second table; `snakepit check-adapter` shows where they are used
without a lock.
"""

SAFE = """
## Thread-safe, used as it says here

| library | from version | why | safe pattern |
| --- | --- | --- | --- |
"""

UNSAFE = """
## Not thread-safe

| library | what is unsafe | why | safe pattern |
| --- | --- | --- | --- |
"""

TAIL = """
A library that is in neither table is not known to be one or the other: keep what it
makes on one thread (`get_thread_local`), or hold a lock. An extension module that does
not say that it is made for free-threaded Python switches the GIL on when it is
imported; the pool then becomes a process pool.
"""

USES = {"any": "every use", "shared": "an object that threads share"}


def page(libraries: list[dict]) -> str:
    """The page's text."""
    rows: dict[bool, list[str]] = {True: [], False: []}
    for library in libraries:
        safe = library["thread_safe"]
        second = library["minimum"] if safe else USES[library["use"]]
        name = f"[{library['title']}]({library['docs']})"
        cells = (name, second, library["reason"], library["pattern"])
        rows[safe].append(f"| {' | '.join(cells)} |\n")
    return HEAD + SAFE + "".join(rows[True]) + UNSAFE + "".join(rows[False]) + TAIL


def main() -> int:
    """Writes or checks the page; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("root", type=pathlib.Path)
    given = parser.parse_args()
    table = json.loads((given.root / TABLE).read_text(encoding="utf-8"))
    text = page(table["libraries"])
    path = given.root / PAGE
    if not given.check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        print(f"{PAGE} is not what {TABLE} makes; run tools/gen_library_docs.py .")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
