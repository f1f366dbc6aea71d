# SPDX-License-Identifier: MIT
"""Each example of the guides is run or listed with a reason, and the page says so."""

from __future__ import annotations

import subprocess
import sys

from harness.compose import PLACE
from harness.examples import examples
from harness.places import ADAPTERS, COVERAGE, GUIDES


def test_every_example_of_a_module_exists():
    names = {name for one in examples().values() for name in [one.name, *one.names]}
    for source in ADAPTERS.glob("*.py.in"):
        for place in PLACE.finditer(source.read_text(encoding="utf-8")):
            assert place["name"] in names, f"{source.name} wants {place['name']}"


def test_every_example_is_accounted_for_and_the_page_says_how(tmp_path):
    page = tmp_path / "page.md"
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    words += ["-p", "no:cacheprovider", "--write-coverage", str(page), str(GUIDES)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=GUIDES)
    written = page.read_text(encoding="utf-8")
    assert "nobody accounts for it" not in written
    assert written == COVERAGE.read_text(encoding="utf-8"), (
        "docs/guides-coverage.md is not what the tests say; it tells how to write it"
    )
