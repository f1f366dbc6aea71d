# SPDX-License-Identifier: MIT
"""What the linker and the compiler have left in what is shipped."""

from __future__ import annotations

import pathlib
import platform
import re
import subprocess

import pytest
from support.places import BUILD, PYTHONS, ROOT

ENDBR64 = b"\xf3\x0f\x1e\xfa"


def extension(python: str) -> str:
    """The path of the bridge's extension."""
    command = [python, "-c", "import snakepit_bridge._runtime as r; print(r.__file__)"]
    return subprocess.check_output(command, text=True).strip()


def shipped() -> list[str]:
    """The library, the command, and the extension of each interpreter."""
    ours = [str(BUILD / "lib/libsnakepit.so"), str(BUILD / "bin/snakepit")]
    return [*ours, *map(extension, PYTHONS)]


def ids(path: str) -> str:
    """A short name of what is shipped."""
    return pathlib.Path(path).name.partition(".so")[0].partition(".linux")[0]


def elf(path: str) -> str:
    """Headers, the dynamic section and the dynamic symbols."""
    command = ["readelf", "--wide", "--dynamic", "--segments", "--dyn-syms", path]
    return subprocess.check_output(command, text=True)


@pytest.fixture(autouse=True)
def build_without_sanitizers() -> None:
    if "SNAKEPIT_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
        pytest.skip("a sanitized build checks more than this")


@pytest.mark.parametrize("path", shipped(), ids=ids)
def test_everything_that_is_shipped_is_hardened(path):
    found = elf(path)
    assert "GNU_RELRO" in found
    assert re.search(r"\(FLAGS(_1)?\).*\b(BIND_)?NOW\b", found), "bound lazily"
    assert "RWE" not in found, "an executable stack"
    assert "__stack_chk_fail" in found, "built without -fstack-protector-strong"
    assert "_chk@GLIBC" in found, "built without _FORTIFY_SOURCE"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is of that processor")
@pytest.mark.parametrize("path", shipped(), ids=ids)
def test_indirect_jumps_land_where_they_may(path):
    assert pathlib.Path(path).read_bytes().count(ENDBR64) > 100


@pytest.mark.parametrize("path", shipped(), ids=ids)
def test_no_symbol_is_younger_than_the_glibc_that_the_readme_asks_for(path):
    said = re.search(r"glibc (\d+)\.(\d+) or later", (ROOT / "README.md").read_text())
    # A newer glibc than Debian 12's turns strtol() into a newer symbol by itself.
    needed = re.findall(r" (?!__isoc23_)(\w+)@GLIBC_(\d+)\.(\d+)", elf(path))
    assert needed
    limit = tuple(map(int, said.groups()))
    younger = [name for name, *version in needed if tuple(map(int, version)) > limit]
    assert younger == []
