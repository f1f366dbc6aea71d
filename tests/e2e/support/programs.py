# SPDX-License-Identifier: MIT
"""Hosts that must be in C: what they do to their threads Python would not survive."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess

from .places import BUILD, ROOT

FOLDER = pathlib.Path(__file__).parent


def build(name: str, folder: pathlib.Path) -> pathlib.Path:
    """Compiles support/NAME.c against the library that was built."""
    program = folder / name
    subprocess.run(
        [
            *shlex.split(os.environ.get("CC", "cc")),
            "-pthread",
            f"-I{ROOT / 'include'}",
            "-o",
            str(program),
            str(FOLDER / f"{name}.c"),
            f"-L{BUILD / 'lib'}",
            f"-Wl,-rpath,{BUILD / 'lib'}",
            "-lsnakepit",
        ],
        check=True,
    )
    return program


def run(program: pathlib.Path, *pools: dict, within: float = 60) -> str:
    """Runs it with a configuration of these pools; what it prints."""
    config = program.parent / "pools.yaml"
    config.write_text(json.dumps({"pools": list(pools)}))
    done = subprocess.run(
        [str(program), str(config)], capture_output=True, text=True, timeout=within
    )
    assert done.returncode == 0, done
    return done.stdout
