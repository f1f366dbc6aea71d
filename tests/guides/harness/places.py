# SPDX-License-Identifier: MIT
"""Where things are."""

from __future__ import annotations

import pathlib

GUIDES = pathlib.Path(__file__).resolve().parents[1]
ROOT = GUIDES.parents[1]
E2E = ROOT / "tests/e2e"  # its `support` opens pits for us too
EXAMPLES = GUIDES / "examples"
ADAPTERS = GUIDES / "adapters"  # what surrounds the examples
GIVEN = GUIDES / "given"  # modules that surroundings and examples import
STANDINS = GUIDES / "standins"  # of libraries that cannot be had
COVERAGE = ROOT / "docs/guides-coverage.md"
