# SPDX-License-Identifier: MIT
"""A program of somebody else's, built against an installed Snakepit."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess

import pytest
from support.places import BUILD, ROOT, SYSTEM

CONFIG = """
pools:
  - name: default
    python: {python}
    pool_size: 1
    adapter: snakepit_bridge.adapters.showcase
"""

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(hello C)
find_package(snakepit REQUIRED)
add_executable(hello {source})
target_link_libraries(hello PRIVATE {target})
"""


def run(*command: str | os.PathLike[str], **environment: str) -> str:
    """What a command prints; its errors are part of the failure."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where `cmake --install` has put the library."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    if "SNAKEPIT_SANITIZE:STRING=\n" not in cache:
        pytest.skip("a sanitized library asks for a sanitized program")
    made = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", made)
    return made


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    """A configuration with the adapter that comes with the bridge."""
    made = tmp_path / "pit.yaml"
    made.write_text(CONFIG.format(python=SYSTEM))
    return made


def libraries(prefix: pathlib.Path) -> pathlib.Path:
    """The folder of the shared library, which differs between distributions."""
    return next(prefix.rglob("libsnakepit.so")).parent


def test_the_program_of_the_readme_builds_with_pkg_config_and_runs(
    prefix: pathlib.Path, tmp_path: pathlib.Path, config: pathlib.Path
) -> None:
    where = libraries(prefix)
    found = {"PKG_CONFIG_PATH": str(where / "pkgconfig")}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "snakepit", **found))
    hello = tmp_path / "hello"
    source = ROOT / "examples/hello.c"
    strict = ("-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror")
    run("cc", *strict, "-o", hello, source, *flags)
    assert run(hello, config, LD_LIBRARY_PATH=str(where)) == "42\n"


def test_it_builds_with_the_cmake_package_too(
    prefix: pathlib.Path, tmp_path: pathlib.Path, config: pathlib.Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    source = ROOT / "examples/hello.c"
    target = "snakepit::snakepit"
    (project / "CMakeLists.txt").write_text(CMAKE.format(source=source, target=target))
    built = tmp_path / "built"
    run("cmake", "-S", project, "-B", built, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", built)
    assert run(built / "hello", config) == "42\n"
