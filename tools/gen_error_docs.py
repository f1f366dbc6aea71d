#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the table of errors in docs/c-api.md from include/snakepit/errors.h.

usage: gen_error_docs.py [--check] [ROOT]; with --check it writes nothing and fails if
the table is not what it would write.
"""

import pathlib
import re
import sys

ROW = re.compile(r'X\((\w+), *(\d+), *\d+, *\d+, *([01]), *"([^"]*)"\)')
BEGIN = "<!-- from include/snakepit/errors.h -->\n"
END = "<!-- end -->\n"


def table(header):
    """The rows of the macro SNAKEPIT_ERRORS, as Markdown."""
    lines = ["| error | number | retryable | meaning |", "| --- | --- | --- | --- |"]
    for name, number, retryable, text in ROW.findall(header):
        answer = "yes" if retryable == "1" else "no"
        lines.append(f"| `SNAKEPIT_{name}` | {number} | {answer} | {text} |")
    return "\n".join(lines) + "\n"


def main():
    """Write or check the page. Gives the exit code."""
    words = sys.argv[1:]
    check = "--check" in words
    roots = [word for word in words if word != "--check"]
    root = pathlib.Path(roots[0] if roots else ".").resolve()
    page = root / "docs/c-api.md"
    text = page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    header = (root / "include/snakepit/errors.h").read_text()
    wanted = before + BEGIN + table(header) + END + after
    if text == wanted:
        print("errors: ok")
        return 0
    if check:
        print(f"{page}: the table of errors is old; run tools/gen_error_docs.py")
        return 1
    page.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
