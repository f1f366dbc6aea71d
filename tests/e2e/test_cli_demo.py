# SPDX-License-Identifier: MIT
"""snakepit demo as a person sees it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess

from support import default_python
from support.command import (
    HYBRID,
    SNAKEPIT,
    environment,
    is_gone,
    run,
    until,
    workers_of,
)

# ---- demo ---------------------------------------------------------------------------


def assert_demo_is_right(result):
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    lines = result.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "All results were right."
    assert "WRONG" not in result.stdout and "failed" not in result.stdout
    assert "1,000 of 1,000 from 8 threads" in result.stdout
    assert result.stdout.count("WORKER_DIED") == 2


def test_demo_fits_one_screen_and_every_result_is_right():
    default_python("thread")  # skips where there is none
    result = run("demo", "--config", HYBRID)
    assert_demo_is_right(result)
    assert re.search(r"^arrays +thread profile", result.stdout, re.M)
    assert "fell back" not in result.stdout


def test_demo_recycling_replaces_workers_for_every_reason():
    result = run("demo", "recycling")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split()[0] for line in lines[4:8]] == ["age", "by", "calls", "memory"]
    assert all(line.endswith(" right") for line in lines[4:8])
    assert lines[-1] == "All results were right."


def test_an_unknown_demo_is_refused():
    result = run("demo", "recycle")
    assert (result.returncode, result.stdout) == (2, "")
    assert "demo takes nothing or the word recycling" in result.stderr


def test_demo_finds_its_example_beside_the_program():
    result = run("demo", cwd=HYBRID.parent)
    assert_demo_is_right(result)
    assert result.stdout.splitlines()[0].endswith(": hybrid.yaml")


def test_demo_without_its_example_asks_for_it(tmp_path):
    program = tmp_path / "bin/snakepit"
    program.parent.mkdir()
    program.write_bytes(SNAKEPIT.read_bytes())
    program.chmod(0o755)
    result = subprocess.run([program, "demo"], capture_output=True, cwd=tmp_path)
    assert result.returncode == 1
    assert b"neither beside this program nor here" in result.stderr


def test_demo_without_free_threaded_python_says_that_it_fell_back():
    env = environment()
    env["SNAKEPIT_PYTHON_FT"] = env["SNAKEPIT_PYTHON"]
    result = run("demo", "--config", HYBRID, env=env)
    assert_demo_is_right(result)
    assert re.search(r"^arrays +process profile", result.stdout, re.M)
    assert "fell back" in result.stdout


def test_demo_finds_a_wrong_result(tmp_path):
    for name in ("text_adapter.py", "array_adapter.py", "hybrid.yaml"):
        source = (HYBRID.parent / name).read_text()
        source = source.replace("values.sum(dtype=np.float64)", "values.sum() + 1")
        (tmp_path / name).write_text(source)
    result = run("demo", "--config", tmp_path / "hybrid.yaml")
    assert result.returncode == 1
    assert result.stdout.count("WRONG") == 1
    assert "a result was wrong" in result.stderr


def test_a_signal_during_the_demo_leaves_no_worker():
    process = subprocess.Popen(
        [str(SNAKEPIT), "demo", "--config", str(HYBRID)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("Snakepit ")
    until(lambda: workers_of(process.pid))
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert "stopped by SIGINT" in err
    assert all(map(is_gone, workers))


def test_demo_survives_head():
    command = shlex.join([str(SNAKEPIT), "demo", "--config", str(HYBRID)])
    script = f"set -o pipefail; {command} | head -1"
    result = subprocess.run(
        ["bash", "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
