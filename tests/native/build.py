# SPDX-License-Identifier: MIT
"""Compiles parts of the extension into test modules for the interpreter that runs this.

Standalone: ``python tests/native/build.py DIRECTORY`` compiles the codec and prints the
module's path. ``CC`` names the compiler, ``CODEC_CFLAGS`` adds flags, such as
``-fsanitize=address``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NATIVE = ROOT / "python" / "native"
FLAGS = (
    "-std=c11 -O2 -g -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wshadow -Werror"
)


def of_codec() -> list[Path]:
    """The files under test, the harness and what they stand on."""
    codec = sorted(NATIVE.glob("codec*.c"))
    rest = [NATIVE / f"{name}.c" for name in ("decode", "encode", "numpy_array")]
    rest += sorted(NATIVE.glob("tensor*.c"))
    base = [ROOT / "src" / "base" / name for name in ("memory.c", "check.c")]
    names = ("codec_test_module", "known_numpy", "python_memory")
    here = [HERE / f"{name}.c" for name in names]
    return [*here, *codec, *rest, *base]


def of_batches() -> list[Path]:
    """The same for what gathers batches."""
    native = [NATIVE / name for name in ("batch.c", "tools.c")]
    ipc = [ROOT / "src" / "ipc" / name for name in ("wait.c", "bell.c", "patience.c")]
    base = [ROOT / "src" / "base" / name for name in ("clock.c", "check.c")]
    return [HERE / "batch_test_module.c", *native, *ipc, *base]


def of_fit() -> list[Path]:
    """The same for what hands arguments over by position."""
    return [HERE / "fit_test_module.c", NATIVE / "fit.c"]


SOURCES = {"_codec_test": of_codec, "_batch_test": of_batches, "_fit_test": of_fit}


def build(directory: Path, name: str = "_codec_test") -> Path:
    """Compile into `directory` and return the path of the module."""
    target = directory / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    includes = [NATIVE, ROOT / "src", ROOT / "include"]
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        *FLAGS.split(),
        "-D_GNU_SOURCE",
        *(f"-I{path}" for path in includes),
        f"-I{sysconfig.get_path('include')}",
        *shlex.split(os.environ.get("CODEC_CFLAGS", "")),
        "-o",
        str(target),
        *map(str, SOURCES[name]()),
        "-lpthread",
    ]
    subprocess.run(command, check=True)
    return target


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
