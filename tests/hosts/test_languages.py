# SPDX-License-Identifier: MIT
"""The programs of docs/from-other-languages.md, built and run."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
from collections.abc import Iterator

import pytest
from conftest import HOSTS, ROOT, Place, needs, say
from support.configs import default_python
from support.daemon import Daemon
from support.missing import missing
from support.served import end, serve

PAGE = (ROOT / "docs/from-other-languages.md").read_text()
# What each prints: a call, a thousand at once, one that is cancelled, one that fails.
SAID = "42\n500542\nCANCELLED\nTOOL_FAILED\n"


@pytest.fixture(scope="module")
def address(place: Place) -> Iterator[str]:
    """Of a daemon with the pool `text` of the examples."""
    shutil.copy(ROOT / "examples/text_adapter.py", place.folder)
    door = {"address": f"unix:{place.folder}/text.sock", "door": "local"}
    pool = {
        "name": "text",
        "python": default_python("process"),
        "pool_size": 2,
        "adapter": "text_adapter.TextAdapter",
    }
    path = place.folder / "text.yaml"
    serving = {"listen": ["127.0.0.1:0", door]}
    path.write_text(json.dumps({"pools": [pool], "serve": serving}))
    daemon: Daemon = serve(path)
    yield door["address"]
    end([daemon])


def copy_of(place: Place, name: str) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(HOSTS / name, place.folder / name))


def test_the_one_in_go(place: Place, address: str) -> None:
    go = needs("go")
    folder = copy_of(place, "go")
    env = {**place.env, "GO111MODULE": "off", "CGO_ENABLED": "1"}
    say(go, "build", "-o", "main", "main.go", cwd=folder, env=env)
    assert say(folder / "main", address, env=place.env) == SAID


def test_the_one_in_rust(place: Place, address: str) -> None:
    rustc = needs("rustc")
    folder = copy_of(place, "rust")
    found = ("-L", str(place.libraries), "-l", "snakepit")
    say(rustc, "-D", "warnings", "main.rs", *found, cwd=folder, env=place.env)
    assert say(folder / "main", address, env=place.env) == SAID


def test_the_one_in_node(place: Place, address: str) -> None:
    node = needs("node")
    headers = [
        pathlib.Path("/usr/include/node"),
        pathlib.Path("/usr/include/nodejs/src"),
    ]
    found = [path for path in headers if (path / "node_api.h").exists()]
    if not found:
        missing("the header of Node's addons")
    folder = copy_of(place, "node")
    made = ("-shared", "-fPIC", "-o", "snakepit.node", "snakepit.c", f"-I{found[0]}")
    strict = ("-Wall", "-Wextra", "-Werror")
    say("cc", *strict, *made, *place.flags(), cwd=folder, env=place.env)
    assert say(node, "main.mjs", address, cwd=folder, env=place.env) == SAID


@pytest.mark.parametrize("name", ["go", "rust", "c", "js", "php"])
def test_what_the_page_shows_is_of_a_program(name: str) -> None:
    blocks = re.findall(rf"```{name}\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    sources = [path.read_text() for path in HOSTS.rglob("*") if path.is_file()]
    for block in blocks:
        for part in block.split("...\n"):
            assert any(part in source for source in sources), part
