# SPDX-License-Identifier: MIT
"""A stand-in for Polars, which has no wheels for free-threaded Python: the one class
that the guides use, as far as they use it.
"""

from __future__ import annotations

from typing import Any


class DataFrame:
    """Columns of equal length, from rows that are dicts with the same keys."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        names = list(rows[0]) if rows else []
        self.columns = names
        self.data = {name: [row[name] for row in rows] for name in names}

    @property
    def height(self) -> int:
        return len(next(iter(self.data.values()), []))

    def to_dict(self, *, as_series: bool = True) -> dict[str, list[Any]]:
        return {name: list(values) for name, values in self.data.items()}
