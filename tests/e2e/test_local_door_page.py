# SPDX-License-Identifier: MIT
"""docs/local-door.md: what it says to type is typed, and what it shows comes."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
from collections.abc import Iterator

import pytest
from support.command import SNAKEPIT, environment
from support.configs import default_python
from support.places import BUILD, ROOT
from support.programs import skip_if_sanitized
from support.served import end, serve

PAGE = (ROOT / "docs/local-door.md").read_text()
START = "snakepit serve local.yaml &\n"
# A block of a shell, and the one that follows at once, if it shows an answer.
SHELL = re.compile(r"```sh\n(.*?)```\n(?:\n```\n(.*?)```\n)?", re.DOTALL)
WARNINGS = "-Wall -Wextra -pedantic -Werror"


def block(language: str) -> str:
    """The page's only one of a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """With the page's files, an installed Snakepit and the daemon."""
    skip_if_sanitized()
    default_python("process")
    install = ["cmake", "--install", BUILD, "--prefix", tmp_path / "prefix"]
    subprocess.run(install, check=True, capture_output=True)
    programs = re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL)
    for name, text in zip(("add.c", "more.c"), programs, strict=True):
        (tmp_path / name).write_text(text)
    (tmp_path / "CMakeLists.txt").write_text(block("cmake"))
    assert "127.0.0.1:8470 " in block("yaml")
    path = tmp_path / "local.yaml"
    path.write_text(block("yaml").replace("127.0.0.1:8470", "127.0.0.1:0"))
    daemon = serve(path)
    yield tmp_path
    end([daemon])


def type_it(folder: pathlib.Path, script: str) -> str:
    """What a block of a shell prints."""
    libraries = next(folder.rglob("libsnakepit.so")).parent
    done = subprocess.run(
        ["sh", "-e", "-c", script.replace("cc ", f"cc {WARNINGS} ")],
        cwd=folder,
        env=environment(
            PATH=f"{SNAKEPIT.parent}:{os.environ['PATH']}",
            PKG_CONFIG_PATH=str(libraries / "pkgconfig"),
            LD_LIBRARY_PATH=str(libraries),
            CMAKE_PREFIX_PATH=str(folder / "prefix"),
        ),
        capture_output=True,
        text=True,
        timeout=250,  # it compiles, beside others
        check=False,
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout


def test_the_page_is_right(folder: pathlib.Path) -> None:
    (start, _), *blocks = SHELL.findall(PAGE)
    assert start == START and len(blocks) == 4
    for script, answer in blocks:
        shown = ".*".join(map(re.escape, answer.split("...")))
        found = type_it(folder, script)
        # CMake's own words come first.
        assert re.search(rf"^{shown}\Z", found, re.MULTILINE), (script, found)


def test_the_limits_of_the_page_are_those_of_the_configuration() -> None:
    reference = (ROOT / "docs/configuration.md").read_text()
    for key, number in re.findall(r"\| `(max_\w+)`, ([\d,]+);", PAGE):
        assert re.search(rf"`{key}`.*\b{number.replace(',', '')}\b", reference), key
    assert PAGE.count("| `max_") == 2


def test_its_links_lead_somewhere() -> None:
    for path in re.findall(r"\]\(([^)#:]+)", PAGE):
        assert (ROOT / "docs" / path).exists(), path
