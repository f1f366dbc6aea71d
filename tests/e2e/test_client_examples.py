# SPDX-License-Identifier: MIT
"""The programs of examples/clients, run as their README says, against the daemon."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.daemon import Daemon
from support.grpcs import needs_grpc
from support.places import ROOT
from support.served import Client
from support.waiting import eventually

CLIENTS = ROOT / "examples/clients"
README = (CLIENTS / "README.md").read_text()
SAYS = re.search(r"```\n(add: .*?)```", README, re.S)[1]
GRPC = "call_grpc.py"
COMMANDS = {
    "sh": ("curl", ["sh", "call.sh"]),
    "python3": ("python3", [sys.executable, "call.py"]),
    "go": ("go", ["go", "run", "call.go"]),
    "node": ("node", ["node", "call.mjs"]),
}


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[Daemon]:
    """With the one pool of hybrid.yaml that they call."""
    shutil.copy(ROOT / "examples/text_adapter.py", tmp_path)
    path = tmp_path / "daemon.yaml"
    path.write_text(
        "serve: {listen: ['127.0.0.1:0']}\n"
        "pools: [{name: text, pool_size: 1, adapter: text_adapter.TextAdapter}]\n"
    )
    daemon = Daemon(path)
    try:
        eventually(Client(daemon).is_ready, "that it is ready", within=240)
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.end()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_client_prints_what_the_readme_says(name, daemon):
    tool, command = COMMANDS[name]
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} on this machine")
    where = f"{name if name != 'go' else 'go run'} examples/clients/{command[-1]}"
    assert where in README
    done = subprocess.run(
        [*command, daemon.urls()[0]],
        cwd=CLIENTS,
        env={**os.environ, "GO111MODULE": "off"},
        capture_output=True,
        text=True,
        timeout=300,  # go compiles its library
        check=False,
    )
    if "NODE" in done.stderr and "TextDecoderStream" in done.stderr:
        pytest.skip("this node is too old for its streams")
    assert (done.returncode, done.stdout) == (0, SAYS), done.stderr


@needs_grpc
def test_the_one_over_grpc_prints_the_same_with_its_own_code(daemon):
    line = re.search(r"`(error: [A-Z]+ [A-Z_]+)`", README)[1]
    assert "python3 examples/clients/call_grpc.py" in README
    done = subprocess.run(
        [sys.executable, GRPC, daemon.urls()[0]],
        cwd=CLIENTS,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = re.sub("error: .*", line, SAYS)
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_each_client_of_the_folder_is_run():
    files = {path.name for path in CLIENTS.iterdir()} - {"README.md"}
    assert files == {command[-1] for _, command in COMMANDS.values()} | {GRPC}
