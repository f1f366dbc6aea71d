# SPDX-License-Identifier: MIT
"""docs/guides-coverage.md: each example of the guides, its test and its result.

Tests say by the mark `example` what they show. What has no test is listed in
`LISTED` with its reason.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .examples import examples, title_of

# Not run, and why.
LISTED = {
    "adapters-03": "sets up an environment for the other implementation; ours is "
    "`tools/bootstrap`, and these tests run in what it made",
    "adapters-41": "a comment without code",
    "workers-23": "see test_settings_of_recycling_are_taken_as_the_guide_writes_them; "
    "that workers are replaced is shown in `e2e.recycle`",
}

HEAD = """\
# The guides' examples

Every code example of the two guides that adapter authors were given, and the test that
runs it as it is written, in a real pool. The text of each stands below
`tests/guides/examples`, the lines around it (imports, names that the guide takes for
granted, the class around a lone method) below `tests/guides/adapters`. PyTorch and
Polars are stand-ins with the same calls; all other libraries are the real ones.

Where the result depends on when threads meet, the lines around an example make them
meet: the counters of wrong examples yield between reading and writing, and a
computation under a lock waits for a second thread to be in it too. The example's own
lines stay as they are.

    ctest --preset dev -L guides

This page is written from the tests and compared with them by one. After a change:

    build/venv/system/bin/python -m pytest tests/guides --collect-only \\
        --write-coverage docs/guides-coverage.md
"""


@dataclasses.dataclass(frozen=True)
class Shown:
    """That one test shows something about an example."""

    test: str
    result: str


class Results:
    """What the collected tests show, by the name of the example."""

    def __init__(self) -> None:
        self.shown: dict[str, list[Shown]] = {}

    @classmethod
    def of(cls, items: list[Any]) -> Results:
        results = cls()
        for item in items:
            for mark in item.iter_markers("example"):
                test = f"{item.path.name}: {item.originalname}"
                for name in mark.args:
                    results.add(name, Shown(test, mark.kwargs["result"]))
        return results

    def add(self, name: str, shown: Shown) -> None:
        known = self.shown.setdefault(name, [])
        if shown not in known:
            known.append(shown)

    def counts(self) -> str:
        parts = sum(len(example.names) for example in examples().values())
        return (
            f"{len(examples())} examples; a wrong and a right way counted apart, "
            f"{parts}: {len(self.shown)} run, {len(LISTED)} are listed with a reason."
        )

    def page(self) -> str:
        """The whole page."""
        text = f"{HEAD}\n{self.counts()}\n"
        for guide in ("adapters", "workers"):
            text += f"\n## {title_of(guide)}\n\n"
            text += "| example | section | result | test |\n| --- | --- | --- | --- |\n"
            for example in examples().values():
                if example.guide == guide:
                    for name in example.names:
                        text += self._row(name, example.section)
        return text

    def _row(self, name: str, section: str) -> str:
        if name in self.shown:
            results = "; ".join(
                dict.fromkeys(shown.result for shown in self.shown[name])
            )
            tests = "<br>".join(
                dict.fromkeys(f"`{shown.test}`" for shown in self.shown[name])
            )
        else:
            results, tests = untested(name), ""
        return f"| {name} | {section} | {results} | {tests} |\n"


def untested(name: str) -> str:
    """The result of an example without a test."""
    if name in LISTED:
        return f"listed: {LISTED[name]}"
    return "nobody accounts for it"
