#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail when a module includes one it may not see, per tools/layers.txt."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
allowed = {}
wrong = []

for line in (root / "tools/layers.txt").read_text().splitlines():
    if not line or line.startswith("#"):
        continue
    name, _, below = line.partition(":")
    for other in below.split():  # only lines above may be named: no cycle is possible
        if other not in allowed:
            wrong.append(f"layers.txt: {name} names {other}, which is not above it")
    allowed[name] = set(below.split())

for path in sorted((root / "src").rglob("*.[ch]")):
    module = path.relative_to(root / "src").parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not include:
            continue
        target = include[1].split("/")[0]
        if ".." in include[1]:
            wrong.append(f"{path}:{number}: write the path from src/, not '..'")
        elif target != module and target in allowed and target not in allowed[module]:
            wrong.append(f"{path}:{number}: {module} may not include {target}")

print("\n".join(wrong) or "layers: ok")
sys.exit(bool(wrong))
