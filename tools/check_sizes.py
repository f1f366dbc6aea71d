#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail when a C function is longer than 60 lines or a C file longer than 600.

It leans on the formatter: a function's braces, and nothing else of its kind, stand
alone in the first column. usage: check_sizes.py [ROOT]
"""

import pathlib
import sys

FUNCTION_LINES = 60
FILE_LINES = 600
FOLDERS = ["include", "src", "python/native", "tests", "bench", "examples"]


def long_functions(lines):
    """Yield (line number, length) of each body that is too long; lines count from 1."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > FUNCTION_LINES:
                yield start, number - start - 1
            start = None


def complaints(path):
    """Yield one sentence for each thing of this file that is too long."""
    lines = path.read_text().splitlines()
    if len(lines) > FILE_LINES:
        yield f"{path}: {len(lines)} lines; a file has at most {FILE_LINES}"
    for start, length in long_functions(lines):
        yield f"{path}:{start}: {length} lines; a function has at most {FUNCTION_LINES}"


def main():
    """Check every C file below the root."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    files = [f for folder in FOLDERS for f in sorted((root / folder).rglob("*.[ch]"))]
    wrong = [complaint for path in files for complaint in complaints(path)]
    print("\n".join(wrong) or f"sizes: ok, {len(files)} files")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
