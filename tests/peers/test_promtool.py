# SPDX-License-Identifier: MIT
"""Prometheus' own tool reads the figures, and tries the alerts."""

from __future__ import annotations

import re
import subprocess

from conftest import ROOT, peer, say

ALERTS = ROOT / "packaging/prometheus"


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


def test_each_alert_fires_where_it_is_to_and_only_there():
    done = say(
        peer("promtool"), "test", "rules", str(ALERTS / "snakepit.rules.test.yml")
    )
    assert "SUCCESS" in done.stdout
    tested = (ALERTS / "snakepit.rules.test.yml").read_text()
    rules = (ALERTS / "snakepit.rules.yml").read_text()
    for alert in re.findall(r"alert: (\w+)", rules):
        assert f"{alert} fires" in tested and f"{alert} does not" in tested
