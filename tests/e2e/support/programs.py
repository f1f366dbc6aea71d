# SPDX-License-Identifier: MIT
"""Hosts that must be in C: what they do to their threads Python would not survive."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess

import pytest

from .places import BUILD, ROOT

FOLDER = pathlib.Path(__file__).parent


def skip_if_sanitized() -> None:
    """A sanitized library asks for a sanitized program."""
    if "SNAKEPIT_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
        pytest.skip("a sanitized library asks for a sanitized program")


def build(
    name: str,
    folder: pathlib.Path,
    *options: str,
    where: pathlib.Path = FOLDER,
    library: str = "snakepit",
) -> pathlib.Path:
    """Compiles NAME.c, or .cpp, of support or elsewhere, against a library that was
    built.
    """
    program = folder / name
    source = where / f"{name}.c"
    compiler = os.environ.get("CC", "cc")
    if not source.exists():
        source = source.with_suffix(".cpp")
        compiler = os.environ.get("CXX", "c++")
    subprocess.run(
        [
            *shlex.split(compiler),
            "-pthread",
            *options,
            f"-I{ROOT / 'include'}",
            "-o",
            str(program),
            str(source),
            f"-L{BUILD / 'lib'}",
            f"-Wl,-rpath,{BUILD / 'lib'}",
            f"-l{library}",
        ],
        check=True,
    )
    return program


def write_pools(folder: pathlib.Path, *pools: dict) -> pathlib.Path:
    """A file that configures these pools."""
    config = folder / "pools.yaml"
    config.write_text(json.dumps({"pools": list(pools)}))
    return config


def run(program: pathlib.Path, *pools: dict, within: float = 60) -> str:
    """Runs it with a configuration of these pools; what it prints."""
    config = write_pools(program.parent, *pools)
    done = subprocess.run(
        [str(program), str(config)], capture_output=True, text=True, timeout=within
    )
    assert done.returncode == 0, done
    return done.stdout
