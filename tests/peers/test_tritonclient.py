# SPDX-License-Identifier: MIT
"""tritonclient's HTTP and gRPC with arrays of every datatype; and docs/inference.md."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

import pytest
from conftest import HERE, PEERS, config, end, say, serve
from support.missing import missing
from support.pages import Page
from support.places import ROOT

PYTHON = PEERS / "triton/bin/python"
PAGE = Page("inference.md")


@pytest.fixture(autouse=True)
def there() -> None:
    if not PYTHON.exists():
        missing("tritonclient (see tools/peers)")


@pytest.fixture
def port(tmp_path: pathlib.Path) -> Iterator[str]:
    daemon = serve(
        config(
            tmp_path,
            {"max_message": "256MiB"},
            name="nd",
            adapter="inferring.Inferring",
            tensors="numpy",
            shared_memory_size="512MiB",
        )
    )
    yield daemon.urls()[0].rpartition(":")[2]
    end([daemon])


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_arrays_of_every_datatype_come_back(port: str, kind: str):
    said = say(str(PYTHON), str(HERE / "triton_client.py"), kind, port)
    assert said.stdout.splitlines()[-1] == "all right"


def test_the_client_of_the_page_prints_what_it_says(tmp_path: pathlib.Path):
    daemon = serve(PAGE.config(tmp_path, "scoring"), cwd=tmp_path)
    address = daemon.urls(1)[0].removeprefix("http://")
    program = tmp_path / "client.py"
    program.write_text(PAGE.block("python client").replace("127.0.0.1:8470", address))
    said = say(str(PYTHON), str(program))
    end([daemon])
    text = (ROOT / "docs/inference.md").read_text()
    shown = "".join(f"{line}\n" for line in re.findall(r"^    (\[.*)$", text, re.M))
    assert said.stdout == shown
