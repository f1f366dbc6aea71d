# SPDX-License-Identifier: MIT
"""Extensions and libraries that adapters of the tests load."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess

from .configs import default_python

SOURCES = pathlib.Path(__file__).parent


def takes_the_gil(folder: pathlib.Path) -> pathlib.Path:
    """Builds what switches the GIL of the free-threaded interpreter back on."""
    shown = "import sysconfig as s; print(s.get_path('include'))"
    words = [default_python("thread"), "-c", shown]
    include = subprocess.check_output(words, text=True).strip()
    return shared_object("takes_the_gil", folder, f"-I{include}")


def overflows(folder: pathlib.Path) -> pathlib.Path:
    """Builds a library whose `overflow(None)` runs out of stack."""
    return shared_object("overflows", folder, "-O0")


def survives(folder: pathlib.Path) -> pathlib.Path:
    """Builds a library whose `survive(n)` gets over `n` faults, once installed."""
    return shared_object("survives", folder, "-O0")


def shared_object(name: str, folder: pathlib.Path, *flags: str) -> pathlib.Path:
    """Builds `name.c` of this folder."""
    path = folder / f"{name}.so"
    command = [*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", *flags]
    source = str(SOURCES / f"{name}.c")
    subprocess.run([*command, "-o", str(path), source], check=True)
    return path
