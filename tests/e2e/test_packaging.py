# SPDX-License-Identifier: MIT
"""What packaging has, as far as it can be judged without systemd and Prometheus."""

from __future__ import annotations

import configparser
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
from support.places import BUILD, ROOT

UNITS = ROOT / "packaging/systemd"


def section(name: str, part: str) -> dict[str, str]:
    """What a unit says; of a key that stands twice the last."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNITS / name)
    return dict(unit[part])


def test_the_service_is_sandboxed():
    """Its exposure is at most 3.0, where 10 is everything."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=yes",
            "--threshold=30",
            str(UNITS / "snakepit.service"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze reads no files")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_service_says_what_the_daemon_does():
    service = section("snakepit.service", "Service")
    words = service["ExecStart"].split()
    assert words[:2] == ["snakepit", "serve"]
    assert service["Type"] == "notify"
    assert service["KillMode"] == "mixed"
    assert "HUP" in service["ExecReload"]


def test_the_socket_is_the_one_that_the_service_listens_to():
    socket = section("snakepit.socket", "Socket")
    told = f'listen: ["systemd:{socket["FileDescriptorName"]}"]'
    assert told in (UNITS / "snakepit.service").read_text()


def test_an_installed_service_starts_the_command_that_was_installed(
    tmp_path: pathlib.Path,
):
    """Also where the prefix is chosen at the installation, and is an odd one."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    if "SNAKEPIT_SANITIZE:STRING=\n" not in cache:
        pytest.skip("a sanitized library is not installed")
    prefix = tmp_path / "a prefix of 100%"
    subprocess.run(
        ["cmake", "--install", BUILD, "--prefix", prefix],
        check=True,
        capture_output=True,
        timeout=250,
    )
    units = prefix / "lib/systemd/system"
    assert (units / "snakepit.socket").read_text() == (
        UNITS / "snakepit.socket"
    ).read_text()
    told = [
        line.removeprefix("ExecStart=")
        for line in (units / "snakepit.service").read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    assert len(told) == 1
    command, *words = shlex.split(told[0].replace("%%", "%"))
    assert words == ["serve", "/etc/snakepit/snakepit.yaml"]
    said = subprocess.run([command, "--version"], capture_output=True, timeout=60)
    assert said.stdout.startswith(b"snakepit ")


def test_the_alerts_ask_for_metrics_that_there_are():
    rules = (ROOT / "packaging/prometheus/snakepit.rules.yml").read_text()
    asked = set(re.findall(r"\bsnakepit_\w+", rules))
    told = (ROOT / "docs/metrics.md").read_text()
    assert len(asked) > 5
    for name in asked:
        assert f"`{name.removesuffix('_bucket')}`" in told, name
