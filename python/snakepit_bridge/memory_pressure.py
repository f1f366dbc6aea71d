# SPDX-License-Identifier: MIT
"""Who is killed when memory runs out: a worker, not the program that it works for."""

from __future__ import annotations

import sys

FILE = "/proc/self/oom_score_adj"


def raise_score(least: int, path: str = FILE) -> None:
    """Makes this process, and what it starts from now on, a more likely victim.

    The score is only ever raised, which needs no rights. Where it cannot be, that is
    said and nothing else: the worker can do without.
    """
    try:
        with open(path, "r+", encoding="ascii") as file:
            if int(file.read()) < least:
                file.seek(0)
                file.write(str(least))
    except (OSError, ValueError) as error:
        print(
            f"snakepit_bridge: {path} could not be raised to {least}: {error}",
            file=sys.stderr,
        )
