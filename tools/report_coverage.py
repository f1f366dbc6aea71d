# SPDX-License-Identifier: MIT
"""Prints the share of lines that tests reach: report_coverage.py ROOT BUILD.

Exits with 1 if any of the parts is below the limit. What nothing reaches is listed in
unreached.txt of BUILD. Needs coverage.py, which knows what a statement is.
"""

from __future__ import annotations

import pathlib
import sys

import coverage

LIMIT = 90.0  # per cent of the lines of each part
BRIDGE = "python/snakepit_bridge"
PARTS = ("src", "python/native", BRIDGE)
NEVER_RUN = ["if TYPE_CHECKING:", "@overload"]  # what only type checkers read
SHOWN = 12  # files, those with the most lines that nothing reaches

Lines = dict[str, dict[int, bool]]  # file to line to whether it was reached


def lines_of_c(root: pathlib.Path, build: pathlib.Path) -> Lines:
    """What llvm-cov counted, of all forms in which a file was compiled."""
    found: Lines = {}
    lines: dict[int, bool] = {}
    for entry in (build / "lines.lcov").read_text().splitlines():
        kind, _, rest = entry.partition(":")
        if kind == "SF":
            path = pathlib.Path(rest)
            is_ours = path.is_relative_to(root)
            name = str(path.relative_to(root)) if is_ours else rest
            lines = found.setdefault(name, {})
        elif kind == "DA":
            number, count, *_ = rest.split(",")
            line = int(number)
            lines[line] = lines.get(line, False) or count != "0"
    return found


def lines_of_python(root: pathlib.Path, build: pathlib.Path) -> Lines:
    """What tools/line_counter.py counted, of statements."""
    counts = build / "counts" / "lines"
    if not counts.exists():
        return {}
    ran: dict[str, set[int]] = {}
    for entry in counts.read_text().splitlines():
        name, _, line = entry.rpartition(":")
        ran.setdefault(str(root / BRIDGE / name), set()).add(int(line))
    judge = coverage.Coverage(data_file=None, config_file=False)
    judge.set_option("report:exclude_also", NEVER_RUN)
    judge.get_data().add_lines(ran)
    found = {}
    for path in sorted((root / BRIDGE).rglob("*.py")):
        _, statements, _, missing, _ = judge.analysis2(str(path))
        reached = {line: line not in missing for line in statements}
        found[str(path.relative_to(root))] = reached
    return found


def unreached(lines: dict[int, bool]) -> list[int]:
    """The lines of a file that nothing reaches."""
    return [line for line, reached in sorted(lines.items()) if not reached]


def list_unreached(root: pathlib.Path, found: Lines, list_file: pathlib.Path) -> None:
    """Writes them down as a compiler would, for editors."""
    with list_file.open("w") as out:
        for name, lines in sorted(found.items()):
            text = (root / name).read_text().splitlines()
            for line in unreached(lines):
                print(f"{name}:{line}: {text[line - 1]}", file=out)


def print_part(part: str, files: Lines) -> float:
    """Prints what is reached of a part and where most is missing; the share."""
    left = {name: len(unreached(lines)) for name, lines in files.items()}
    count = sum(map(len, files.values()))
    share = 100 * (count - sum(left.values())) / count
    print(f"coverage: {part}: {share:.1f} % of {count} lines")
    for name in sorted(left, key=left.__getitem__, reverse=True)[:SHOWN]:
        if left[name]:
            of = len(files[name])
            print(f"    {left[name]:4} of {of:4} are not reached: {name}")
    return share


def main(root: pathlib.Path, build: pathlib.Path) -> int:
    """Prints the table; the exit status."""
    found = lines_of_c(root, build) | lines_of_python(root, build)
    low = []
    for part in PARTS:
        files = {
            name: lines for name, lines in found.items() if name.startswith(f"{part}/")
        }
        if not files:
            print(f"coverage: {part}: not run")
        elif print_part(part, files) < LIMIT:
            low.append(part)
    list_unreached(
        root,
        {n: f for n, f in found.items() if n.startswith(PARTS)},
        build / "unreached.txt",
    )
    if low:
        print(f"coverage: error: below {LIMIT:.0f} %: {', '.join(low)}")
    print("coverage: each line that is not reached: build/coverage/unreached.txt")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
