# SPDX-License-Identifier: MIT
"""docs/serving.md: what it says to type is typed, and what it shows is what comes."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from support.command import HYBRID, SNAKEPIT, environment
from support.configs import default_python
from support.daemon import Daemon
from support.places import ROOT
from support.served import end

PAGE = (ROOT / "docs/serving.md").read_text()
ADDRESS = "http://127.0.0.1:8470"
START = "snakepit serve examples/hybrid.yaml &\n"
# A block of a shell, and the one that follows at once, if it shows an answer.
BLOCKS = re.compile(r"```sh\n(.*?)```\n(?:\n```\n(.*?)```\n)?", re.DOTALL)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Of the example that the page uses, at any free port."""
    default_python("thread")
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    daemon = Daemon(HYBRID, "--listen", "127.0.0.1:0")
    yield daemon
    end([daemon])


# What needs a daemon of its own.
WITHOUT_TLS, OWN, WITH_TLS, WITH_TOKENS, LAST = re.split(
    r"^(?=## Your own adapter$|## TLS$|## Tokens$|## Operate$)", PAGE, flags=re.M
)
TLS_ADDRESS = "https://127.0.0.1:8471"
TLS_START = "PYTHONPATH=$PWD/examples snakepit serve tls.yaml &\n"


def shows(answer: str) -> re.Pattern[str]:
    """What the page shows, where "..." is anything."""
    return re.compile(".*?".join(map(re.escape, answer.split("..."))), re.DOTALL)


def test_the_page_is_right(daemon):
    url = daemon.urls()[0]
    blocks = BLOCKS.findall(WITHOUT_TLS + LAST)
    assert len(blocks) > 6 and blocks[1][0].startswith(START)
    for commands, answer in blocks:
        script = commands.replace(START, "").replace(ADDRESS, url)
        assert ADDRESS not in script
        type_it(script, answer, cwd=ROOT)


def type_it(script: str, answer: str, **options: object) -> None:
    """Runs what a block says, and compares what comes with what it shows."""
    script = script.replace("curl ", "curl -sS ")
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        env=environment(PATH=f"{SNAKEPIT.parent}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        timeout=240,
        **options,
    )
    assert done.returncode == 0, (script, done.stderr)
    if answer:
        found = done.stdout if done.stdout.endswith("\n") else done.stdout + "\n"
        assert shows(answer).fullmatch(found), (script, done.stdout)
    else:
        assert '"type":"/problems/' not in done.stdout, (script, done.stdout)


def test_the_part_on_an_adapter_of_ones_own_is_right(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    default_python("process")
    (adapter,) = re.findall(r"```python\n(.*?)```", OWN, re.DOTALL)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", OWN, re.DOTALL)
    (tmp_path / "sums.py").write_text(adapter)
    (tmp_path / "sums.yaml").write_text(yaml.replace("8473", "0"))
    (check, nothing), (ask, answer) = BLOCKS.findall(OWN)
    type_it(check, nothing, cwd=tmp_path)
    start = "snakepit serve sums.yaml &\n"
    assert ask.startswith(start)
    daemon = Daemon(tmp_path / "sums.yaml")
    try:
        script = ask.removeprefix(start).replace(
            "http://127.0.0.1:8473", daemon.urls()[0]
        )
        type_it(script, answer, cwd=tmp_path)
    finally:
        end([daemon])


def serve_tls(folder: pathlib.Path, keys: str) -> Daemon:
    """A daemon of the page's file, at any free port."""
    (yaml,) = re.findall(r"```yaml\n(.*?)```", WITH_TLS, re.DOTALL)
    assert "127.0.0.1:8471" in yaml and "key: key.pem}" in yaml
    yaml = yaml.replace("8471", "0").replace("key: key.pem}", f"key: key.pem{keys}}}")
    (folder / "tls.yaml").write_text(yaml)
    path = str(ROOT / "examples")
    return Daemon(folder / "tls.yaml", env={"PYTHONPATH": path})


def test_the_part_on_tls_is_right(tmp_path):
    if shutil.which("curl") is None or shutil.which("openssl") is None:
        pytest.skip("needs curl and openssl")
    keys = ["", ", client_ca: ca.pem"]  # of the daemons that it asks
    daemons: list[Daemon] = []
    asks = False
    try:
        for commands, answer in BLOCKS.findall(WITH_TLS):
            if TLS_ADDRESS in commands and not asks:
                daemons.append(serve_tls(tmp_path, keys.pop(0)))
            asks = TLS_ADDRESS in commands
            url = daemons[-1].urls()[0] if asks else ""
            script = commands.replace(TLS_START, "").replace(TLS_ADDRESS, url)
            type_it(script, answer, cwd=tmp_path)
    finally:
        end(daemons)
    assert not keys


def test_the_part_on_tokens_is_right(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    address = "http://127.0.0.1:8472"
    start = "PYTHONPATH=$PWD/examples snakepit serve tokens-example.yaml &\n"
    (yaml,) = re.findall(r"```yaml\n(.*?)```", WITH_TOKENS, re.DOTALL)
    (tmp_path / "tokens.yaml.conf").write_text(yaml.replace("8472", "0"))
    daemons: list[Daemon] = []
    try:
        for commands, answer in BLOCKS.findall(WITH_TOKENS):
            if address in commands and not daemons:
                path = {"PYTHONPATH": str(ROOT / "examples")}
                daemons.append(Daemon(tmp_path / "tokens.yaml.conf", env=path))
            url = daemons[0].urls()[0] if daemons else ""
            script = commands.replace(start, "").replace(address, url)
            type_it(script, answer, cwd=tmp_path)
    finally:
        end(daemons)
    assert daemons
    assert (tmp_path / "laptop.token").stat().st_mode & 0o077 == 0
