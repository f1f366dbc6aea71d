# SPDX-License-Identifier: MIT
"""Extensions that adapters of the tests import."""

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
    path = folder / "takes_the_gil.so"
    source = SOURCES / "takes_the_gil.c"
    command = [*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC"]
    subprocess.run([*command, f"-I{include}", "-o", str(path), str(source)], check=True)
    return path
