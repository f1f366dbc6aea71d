#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a warm call costs in two builds, one after the other, many times in turn.

    bench/paired/compare.py BEFORE AFTER [--rounds N]

BEFORE and AFTER are checkouts in which `make release` has run. A shared machine is fast
for some seconds and slow for others, and where the worker's objects lie in memory may
matter more than a change does. So each round lays them out differently, and what is
printed last is the median of the differences within a round.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHARES = ("5 %", "25 %", "50 %")


def compile_for(checkout: pathlib.Path, program: pathlib.Path) -> None:
    """The same program, for the library of a checkout."""
    library = checkout / "build/release/lib"
    subprocess.run(
        [
            *("gcc", "-O2", f"-I{checkout / 'include'}", str(HERE / "calls.c")),
            *(f"-L{library}", f"-Wl,-rpath,{library}", "-lsnakepit"),
            *("-o", str(program)),
        ],
        check=True,
    )


def measure(checkout: pathlib.Path, program: pathlib.Path, turn: int) -> list[float]:
    """Nanoseconds below which 5, 25 and 50 % of the calls were."""
    python = checkout / "build/venv/system/bin/python"
    done = subprocess.run(
        [program, python, HERE, str(turn)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    checkouts = [given.before.resolve(), given.after.resolve()]
    with tempfile.TemporaryDirectory() as folder:
        programs = [pathlib.Path(folder) / name for name in ("before", "after")]
        for checkout, program in zip(checkouts, programs, strict=True):
            compile_for(checkout, program)
        rounds = [
            [measure(*side, turn) for side in zip(checkouts, programs, strict=True)]
            for turn in range(given.rounds)
        ]
    print("ns of a call   before    after    difference, the median of the rounds'")
    for at, share in enumerate(SHARES):
        before, after = ([sides[i][at] for sides in rounds] for i in (0, 1))
        more = [new - old for old, new in zip(before, after, strict=True)]
        medians = f"{statistics.median(before):9.0f}{statistics.median(after):9.0f}"
        print(f"{share:>6} below {medians}{statistics.median(more):9.0f}")


if __name__ == "__main__":
    main()
