# SPDX-License-Identifier: MIT
"""Where things are: the build, the interpreters, the guinea pigs."""

from __future__ import annotations

import os
import pathlib

E2E = pathlib.Path(__file__).resolve().parents[1]
ROOT = E2E.parents[1]
ADAPTERS = E2E / "adapters"
BUILD = pathlib.Path(os.environ.get("SNAKEPIT_BUILD_DIR", ROOT / "build/dev"))
LIBRARY = BUILD / "lib/libsnakepit.so"
SYSTEM = os.environ.get(
    "SNAKEPIT_PYTHON_SYSTEM", str(ROOT / "build/venv/system/bin/python")
)
FREE_THREADED = os.environ.get(
    "SNAKEPIT_PYTHON_FT", str(ROOT / "build/venv/ft/bin/python")
)
# Those that there are.
PYTHONS = [path for path in (SYSTEM, FREE_THREADED) if os.path.exists(path)]
