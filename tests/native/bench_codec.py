# SPDX-License-Identifier: MIT
"""Decode, call and encode of a small call: ours against the prototype, alternating.

Usage: ``python tests/native/bench_codec.py DIRECTORY``. It holds the ``_proto.so`` that
the prototype's ``build.sh`` made for the same interpreter.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

from build import build

# {"x": 3000000000, "name": "snake", "n": 3}, x as a uint32
BODY = bytes.fromhex("83a178ceb2d05e00a46e616d65a5736e616b65a16e03")
CALLS = 200_000
ROUNDS = 15


def load(name: str, path: Path):
    """Import the extension module `name` from a file."""
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, str(path), loader=loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def by_dict(arguments):
    return {"ok": True, "y": arguments["x"]}


def by_name(x, name, n):
    return {"ok": True, "y": x}


def main() -> None:
    """Print medians in nanoseconds and their ratio."""
    with tempfile.TemporaryDirectory() as directory:
        executor = load("_codec_test", build(Path(directory))).Executor()
    proto = load("_proto", Path(sys.argv[1]) / "_proto.so")
    executor.bench(by_name, BODY, CALLS)
    proto.selfbench([by_dict], BODY, CALLS)
    rows = [
        (executor.bench(by_name, BODY, CALLS), proto.selfbench([by_dict], BODY, CALLS))
        for _ in range(ROUNDS)
    ]
    columns = " ".join(f"{name:>8}" for name in ("total", "decode", "call", "encode"))
    print(f"{sys.version.split()[0]:8} {columns}  ns")
    for which, name in enumerate(("ours", "proto")):
        figures = [statistics.median(row[which][i] for row in rows) for i in range(4)]
        print(f"{name:8} " + " ".join(f"{figure:8.1f}" for figure in figures))
    ratios = sorted(ours[0] / theirs[0] for ours, theirs in rows)
    median = statistics.median(ratios)
    print(f"ours / proto: {median:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
