# SPDX-License-Identifier: MIT
"""A program of somebody else's, built against an installed Snakepit."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import zipfile

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
add_executable(hello "{source}")
target_link_libraries(hello PRIVATE {target})
"""


def run(*command: str | os.PathLike[str], **environment: str) -> str:
    """What a command prints; its errors are part of the failure."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=250,  # it compiles, beside others
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


def test_the_installed_sources_build_the_bridge_for_any_python(
    prefix: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    sources = prefix / "share/snakepit/python"
    before = sorted(sources.rglob("*"))
    wheels = ("pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation")
    run(SYSTEM, "-m", *wheels, "--wheel-dir", tmp_path, sources)
    (wheel,) = tmp_path.glob("snakepit_bridge-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "snakepit_bridge/worker.py" in names
    assert any(name.startswith("snakepit_bridge/_runtime.") for name in names)
    # Whoever installs may not be allowed to write there.
    assert sorted(sources.rglob("*")) == before


def test_the_files_that_clients_of_grpc_are_made_from_are_installed(
    prefix: pathlib.Path,
) -> None:
    protos = prefix / "share/snakepit/proto"
    found = [path.relative_to(protos) for path in protos.rglob("*") if path.is_file()]
    wanted = [
        pathlib.Path("inference/inference.proto"),
        pathlib.Path("snakepit/v1/snakepit.proto"),
        pathlib.Path("snakepit_bridge.proto"),
    ]
    assert sorted(found) == wanted
    for path in found:
        assert (protos / path).read_text() == (ROOT / "proto" / path).read_text()


def test_the_installed_command_names_the_installed_sources(
    prefix: pathlib.Path,
) -> None:
    done = subprocess.run(
        [
            prefix / "bin/snakepit",
            "check-adapter",
            "a:B",
            "--python",
            "/usr/bin/python3",
        ],
        capture_output=True,
        text=True,
    )
    assert f"env/bin/pip install {prefix}/share/snakepit/python)" in done.stderr


def test_the_steps_of_the_readme_are_the_ones_that_work(
    prefix: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The README's own lines, with this build's prefix and its environment."""
    text = (ROOT / "README.md").read_text()
    program = text[text.index("## A program") : text.index("## Install")]
    blocks = re.findall(r"```(c|python|yaml)\n(.*?)```", program, re.DOTALL)
    for language, name in (
        ("c", "hello.c"),
        ("python", "sums.py"),
        ("yaml", "sums.yaml"),
    ):
        (block,) = (text for kind, text in blocks if kind == language)
        (tmp_path / name).write_text(block)
    steps = [line[6:] for line in program.splitlines() if line.startswith("    $ ")]
    assert steps[0].split("#")[0].strip() == "sudo make install"
    assert steps[1].startswith(
        "python3 -m venv env && env/bin/pip install /usr/local/share"
    )
    (tmp_path / "env").symlink_to(pathlib.Path(SYSTEM).parents[1])
    where = libraries(prefix)
    script = "\n".join(["set -eu", *steps[2:]])
    found = {"PKG_CONFIG_PATH": str(where / "pkgconfig"), "LD_LIBRARY_PATH": str(where)}
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, **found},
        capture_output=True,
        text=True,
        timeout=250,  # it compiles, beside others
    )
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr
