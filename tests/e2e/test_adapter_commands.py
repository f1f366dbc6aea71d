# SPDX-License-Identifier: MIT
"""snakepit new-adapter and check-adapter as a person types them."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.command import SNAKEPIT, environment, run
from support.places import ADAPTERS, PYTHONS, SYSTEM


def test_what_new_adapter_writes_is_checked_called_and_tested(tmp_path):
    made = run("new-adapter", "word_count", "--dir", tmp_path / "new")
    assert made.returncode == 0 and made.stderr == ""
    change, *commands = [line.strip() for line in made.stdout.splitlines()[-4:]]
    assert change == f"cd {tmp_path / 'new'}"
    assert commands[0] == "snakepit check-adapter word_count:WordCount"
    assert commands[1].startswith("snakepit call word_count count ")
    assert commands[2] == "snakepit serve word_count.yaml"

    checked = run("check-adapter", "word_count:WordCount", cwd=tmp_path / "new")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "No thread safety issues detected" in checked.stdout

    words = ("call", "word_count", "count", '{"text": "one two the three"}')
    called = run(*words, "--config", "word_count.yaml", cwd=tmp_path / "new")
    assert json.loads(called.stdout) == {"words": 3, "counted": 3}

    tested = subprocess.run(
        [PYTHONS[-1], "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "new",
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "3 passed" in tested.stdout

    again = run("new-adapter", "word_count", "--dir", tmp_path / "new")
    assert again.returncode == 1 and "is there already" in again.stderr


def test_new_adapter_refuses_a_name_that_is_no_modules(tmp_path):
    refused = run("new-adapter", "9lives", cwd=tmp_path)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["Counter", "Log", "Cache"])
def test_check_adapter_finds_a_race(name, python):
    found = run(
        *("check-adapter", f"racy:{name}", "--json"),
        *("--python", python, "--threads", 4, "--calls", 20),
        cwd=ADAPTERS,
    )
    assert found.returncode == 1, found.stderr
    report = json.loads(found.stdout)
    assert report["ok"] is False and report["threads"] == 4
    assert report["tools"][0]["calls"] == 80
    assert any("without a common lock" in text for text in report["report"]["warnings"])
    assert {pitfall["number"] for pitfall in report["pitfalls"]} == {1}


@pytest.mark.parametrize("python", PYTHONS)
def test_check_adapter_passes_a_correct_one(python):
    found = run("check-adapter", "racy:Correct", "--python", python, cwd=ADAPTERS)
    assert found.returncode == 0, found.stdout + found.stderr


def test_check_adapter_says_what_it_cannot_find():
    found = run("check-adapter", "racy:Couter", cwd=ADAPTERS)
    assert found.returncode == 2
    assert "did you mean 'Counter'?" in found.stderr
    missing = run("check-adapter", "racy:Counter", "--python", "/no/such/python")
    assert missing.returncode == 4 and missing.stderr.startswith("snakepit: ")


def test_check_adapter_refuses_what_no_worker_would_take(tmp_path):
    text = "from snakepit_bridge import tool\n"
    text += "class NoTools:\n    def f(self): ...\n"
    text += "class Arguments:\n    def __init__(self, x): ...\n    @tool\n"
    text += "    def f(self): ...\n"
    text += "class Positional:\n    @tool\n    def f(self, a, /): ...\n"
    (tmp_path / "refused.py").write_text(text)
    for name, reason in (
        ("NoTools", "has nothing to call"),
        ("Arguments", "is built without arguments"),
        ("Positional", "positional-only"),
    ):
        found = run("check-adapter", f"refused:{name}", cwd=tmp_path)
        assert found.returncode == 2
        assert reason in found.stderr
        assert "Traceback" not in found.stderr


def test_an_interpreter_without_the_bridge_is_told(tmp_path):
    bare = [SYSTEM, "-m", "venv", "--without-pip", str(tmp_path / "bare")]
    subprocess.run(bare, check=True)
    python = tmp_path / "bare/bin/python"
    found = run("check-adapter", "racy:Counter", "--python", python)
    assert found.returncode == 4
    assert "has no snakepit_bridge" in found.stderr


def test_a_reader_who_leaves_is_no_error():
    with subprocess.Popen(
        [str(SNAKEPIT), "check-adapter", "racy:Correct"],
        cwd=ADAPTERS,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0
