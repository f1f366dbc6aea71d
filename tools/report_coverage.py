# SPDX-License-Identifier: MIT
"""Prints the share of lines that tests reach: report_coverage.py ROOT BUILD.

Exits with 1 if any of the parts is below the limit.
"""

from __future__ import annotations

import json
import pathlib
import sys

LIMIT = 90.0  # per cent of the lines of each part
PARTS = ("src", "python/native", "python/snakepit_bridge")
SHOWN = 12  # files, those with the most lines that nothing reaches


def lines_of_c(root: pathlib.Path, build: pathlib.Path) -> dict[str, tuple[int, int]]:
    """File to (lines reached, lines)."""
    told = json.loads((build / "lines.json").read_text())
    found = {}
    for file in told["data"][0]["files"]:
        path = pathlib.Path(file["filename"])
        if path.is_relative_to(root):
            lines = file["summary"]["lines"]
            name = str(path.relative_to(root))
            found[name] = (lines["covered"], lines["count"])
    return found


def lines_of_python(
    root: pathlib.Path, build: pathlib.Path
) -> dict[str, tuple[int, int]]:
    """The same, of the package; of statements, which is what can be reached there."""
    file_of_counts = build / "python.json"
    if not file_of_counts.exists():
        return {}
    told = json.loads(file_of_counts.read_text())
    found = {}
    for path, file in told["files"].items():
        name = str(pathlib.Path(path).resolve()).removeprefix(f"{root}/")
        summary = file["summary"]
        found[name] = (summary["covered_lines"], summary["num_statements"])
    return found


def main(root: pathlib.Path, build: pathlib.Path) -> int:
    """Prints the table; the exit status."""
    lines = lines_of_c(root, build) | lines_of_python(root, build)
    low = 0
    for part in PARTS:
        mine = {name: of for name, of in lines.items() if name.startswith(f"{part}/")}
        reached = sum(covered for covered, _ in mine.values())
        count = sum(count for _, count in mine.values())
        if count == 0:
            print(f"coverage: {part}: not run")
            continue
        share = 100 * reached / count
        low += share < LIMIT
        print(f"coverage: {part}: {share:.1f} % of {count} lines")
        worst = sorted(mine, key=lambda name: mine[name][0] - mine[name][1])
        for name in worst[:SHOWN]:
            covered, total = mine[name]
            if total > covered:
                print(f"    {total - covered:4} of {total:4} are not reached: {name}")
    if low:
        print(
            f"coverage: error: below {LIMIT:.0f} %; add tests for what is not reached"
        )
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
