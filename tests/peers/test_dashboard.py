# SPDX-License-Identifier: MIT
"""The dashboard in a browser: Debian's chromium, driven by playwright-core and judged
by axe. The tests themselves are in tests/browser; here are the pools that they look at,
under load. Pictures go to build/shots.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest
from conftest import PEERS, ROOT, peer
from support.configs import default_python
from support.missing import missing
from support.served import Client, end, serve
from support.tokens import secret, token, write

BROWSER = ROOT / "tests/browser"
SHOTS = ROOT / "build/shots"
TOKENS = [
    token("boss", "call", "observe", "admin"),
    token("eye", "observe"),
]


def pool(name: str, size: int, **keys):
    return {
        "name": name,
        "python": default_python("process"),
        "pool_size": size,
        "adapter": "watched.Watched",
        "shared_memory_size": "64MiB",
        **keys,
    }


class Load:
    """Calls, one after the other, in threads of their own, until it is closed."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(3)]
        for thread in self.threads:
            thread.start()

    def run(self, seed: int) -> None:
        calls = [
            ("text/tools/embed", {"text": "a" * 20, "ms": 3 + 2 * seed}),
            ("text/tools/rank", {"items": ["pear", "fig", "banana"], "limit": 2}),
            ("text/tools/shout", {"text": "hello", "times": 2}),
            ("images/tools/embed", {"text": "b", "ms": 12}),
            ("text/tools/parse", {"text": f"number {seed}"}),
        ]
        i = seed
        while not self.over.is_set():
            path, arguments = calls[i % len(calls)]
            # A daemon that a test drains is gone.
            with contextlib.suppress(OSError):
                self.client.ask("POST", f"/v1/pools/{path}", arguments)
            i += 1
            self.over.wait(0.02)

    def close(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def watched(tmp_path: pathlib.Path) -> Iterator[Client]:
    write(tmp_path / "tokens.yaml", TOKENS)
    listen = [
        {"address": "127.0.0.1:0"},
        {"address": "127.0.0.1:0", "tokens": "tokens.yaml"},
    ]
    pools = [pool("text", 6), pool("images", 2, call_timeout_ms=1000000)]
    path = tmp_path / "daemon.yaml"
    path.write_text(
        json.dumps({"pools": pools, "serve": {"listen": listen, "loops": 2}})
    )
    daemon = serve(path)
    load = Load(Client(daemon))
    try:
        yield Client(daemon)
    finally:
        load.close()
        end([daemon])


def node(file: str, **env: str) -> None:
    """Runs a file of tests in node's own runner."""
    program = peer("node")
    done = subprocess.run(
        [program, "--test", "--test-reporter=spec", str(BROWSER / file)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-4000:]


@pytest.fixture
def browser() -> dict[str, str]:
    """What the tests have to know of it."""
    program = shutil.which("chromium")
    for there, name in (
        (program, "chromium"),
        (PEERS / "npm/node_modules/axe-core", "axe-core"),
        (PEERS / "npm/node_modules/playwright-core", "playwright-core"),
    ):
        if there is None or not pathlib.Path(there).exists():
            missing(f"{name} (see tools/peers)")
    SHOTS.mkdir(parents=True, exist_ok=True)
    return {"CHROMIUM": str(program), "PEERS": str(PEERS / "npm"), "SHOTS": str(SHOTS)}


def test_the_pages_show_what_there_is(watched, browser):
    plain, guarded = watched.daemon.urls(2)
    node(
        "pages.test.mjs",
        URL=plain,
        GUARDED=guarded,
        BOSS=secret("boss"),
        EYE=secret("eye"),
        **browser,
    )


def test_its_memory_is_flat(browser):
    node("memory.test.mjs", **browser)
