# SPDX-License-Identifier: MIT
"""Prometheus' own tool reads the figures."""

from __future__ import annotations

import subprocess

from conftest import peer, say


def test_it_finds_nothing_wrong_with_the_figures(url):
    call = f"{url}/v1/pools/judged/tools/add"
    say(peer("curl"), "-sS", "--json", '{"a": 2, "b": 3}', call)
    text = say(peer("curl"), "-sS", f"{url}/metrics").stdout
    done = subprocess.run(
        [peer("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
