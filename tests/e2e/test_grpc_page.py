# SPDX-License-Identifier: MIT
"""docs/grpc.md: what it says to type is typed, and what it shows is what comes."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from support.certificates import NAMES, NEW_KEY, openssl
from support.command import HYBRID, SNAKEPIT
from support.configs import default_python
from support.daemon import Daemon
from support.grpcs import needs_grpc, stubs
from support.places import ROOT, SYSTEM
from support.served import Client, end
from support.waiting import eventually

pytestmark = needs_grpc

PAGE = (ROOT / "docs/grpc.md").read_text()
# What needs a daemon of its own stands between the others.
FIRST, SECURE, REST = re.split(r"^(?=## TLS and tokens$|## Methods$)", PAGE, flags=re.M)
ADDRESS = "127.0.0.1:8470"
# A block, its language, and the one that follows at once, if it shows an answer.
BLOCKS = re.compile(r"```(sh|python)\n(.*?)```\n(?:\n```\n(.*?)```\n)?", re.DOTALL)


@pytest.fixture
def address() -> Iterator[str]:
    """Of the example that the page uses, at any free port."""
    default_python("thread")
    daemon = Daemon(HYBRID, "--listen", "127.0.0.1:0")
    try:
        eventually(Client(daemon).is_ready, "that it is ready")
        yield daemon.urls()[0].removeprefix("http://")
    finally:
        end([daemon])


def run(language: str, text: str, folder: pathlib.Path) -> str:
    """What comes, when it is typed in a folder that is like a checkout."""
    path = os.pathsep.join([str(pathlib.Path(SYSTEM).parent), os.environ["PATH"]])
    words = ["sh", "-e", "-c", text] if language == "sh" else [SYSTEM, "-c", text]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, (text, done.stderr)
    return done.stdout


def test_the_page_is_right(address, tmp_path):
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    blocks = BLOCKS.findall(FIRST + REST)
    assert len(blocks) >= 5
    for language, text, answer in blocks:
        if "grpcurl" in text and shutil.which("grpcurl") is None:
            continue
        assert run(language, text.replace(ADDRESS, address), tmp_path) == answer


@pytest.fixture
def secure(tmp_path) -> Iterator[Daemon]:
    """Of the file that the page shows, with a certificate and a token."""
    files = ("-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem")
    openssl(
        "req", "-x509", *NEW_KEY, "-subj", "/CN=localhost", "-addext", NAMES, *files
    )
    words = ["--file", "tokens.yaml", "--scope", "call,observe", "--pool", "text"]
    made = subprocess.run(
        [SNAKEPIT, "token", "new", "laptop", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (tmp_path / "laptop.token").write_text(made.stdout)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", SECURE, re.DOTALL)
    config = tmp_path / "secure.yaml"
    config.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", yaml))
    default_python("process")
    daemon = Daemon(config, env={"PYTHONPATH": str(ROOT / "examples")})
    try:
        eventually(Client(daemon).is_ready, "that it is ready")
        yield daemon
    finally:
        end([daemon])


def test_the_part_on_tls_and_tokens_is_right(secure, tmp_path):
    stubs(tmp_path)
    plain, encrypted = (url.split("//")[1] for url in secure.urls(2))
    blocks = BLOCKS.findall(SECURE)
    assert [language for language, _, _ in blocks] == ["sh", "python"]
    for language, text, answer in blocks:
        if "grpcurl" in text and shutil.which("grpcurl") is None:
            continue
        text = text.replace("127.0.0.1:8472", plain)
        text = text.replace("127.0.0.1:8471", encrypted)
        assert run(language, text, tmp_path) == answer
