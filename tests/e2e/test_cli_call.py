# SPDX-License-Identifier: MIT
"""snakepit call as a person and as a script use it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess

import pytest
from support.command import (
    HYBRID,
    SNAKEPIT,
    call,
    environment,
    is_gone,
    run,
    until,
    write_config,
)


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path)


# ---- call ---------------------------------------------------------------------------


def test_call_prints_the_result_as_one_line(config):
    result = call(config, "echo", '{"a": [1, 2.5, null, true, "é"]}')
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == {"a": [1, 2.5, None, True, "é"]}


def test_a_result_that_has_no_json_is_told_with_its_place(config):
    """JSON would have two members of one name, and its readers would keep one."""
    said = (
        'JSON has texts as keys alone, and two keys arrive as "1" at [0].days; make '
        "them differ, or read the MessagePack"
    )
    for options in ((), ("--stream",)):
        result = call(config, "alike_in_json", *options)
        assert said in result.stderr, options
        assert (result.returncode != 0, result.stdout) == (True, "")


def test_a_result_moves_no_terminal(config):
    text = "a\x1b\x7f\x9b\u2028\u202e\U000e0041z"
    result = call(config, "echo", json.dumps({"a": text}))
    assert json.loads(result.stdout) == {"a": text}
    assert result.stdout.isascii()


def test_a_fault_moves_no_terminal(config):
    result = call(config, "fail", json.dumps({"message": "a\x1b[2J\x9b\u202ez"}))
    assert "ValueError: a?[2J?????z" in result.stderr
    assert not set("\x1b\x9b\u202e") & set(result.stderr)


def test_call_without_arguments_passes_none(config):
    assert json.loads(call(config, "echo").stdout) == {}


def test_call_reads_arguments_from_standard_input(config):
    result = call(config, "size", "-", input=json.dumps({"text": "x" * 5_000_000}))
    assert (result.returncode, result.stdout) == (0, "5000000\n")


def test_call_refuses_more_than_64_mib_of_input(config):
    result = call(config, "size", "-", input='{"text": "' + "x" * (64 << 20) + '"}')
    assert result.returncode == 2
    assert "larger than 64 MiB" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"a": 1,\n "b" 2}', "line 2"),
        ("[1]", "a JSON object"),
        ("", "line 1"),
    ],
)
def test_arguments_that_are_no_object_end_with_two(config, arguments, says):
    result = call(config, "echo", arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr


def test_call_passes_the_session(config):
    assert call(config, "session", "--session", "s-1").stdout == '"s-1"\n'


def test_a_tool_that_fails_is_told_with_its_traceback(config):
    result = call(config, "fail", '{"message": "no way"}')
    assert (result.returncode, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[0] == "snakepit: TOOL_FAILED: ValueError: no way"
    assert lines[1].startswith("Traceback") and lines[-2] == "ValueError: no way"
    assert lines[-1] == "called with: message: str[6]"
    assert "guinea.py" in result.stderr


def test_a_fault_as_json_is_an_object_on_standard_output(config):
    result = call(config, "fail", "--json")
    assert (result.returncode, result.stderr) == (1, "")
    error = json.loads(result.stdout)["error"]
    assert (error["name"], error["number"], error["type"]) == (
        "TOOL_FAILED",
        9,
        "ValueError",
    )
    assert "guinea.py" in error["traceback"]


def test_an_unknown_tool_and_an_unknown_pool_end_with_one(config):
    result = call(config, "ehco")
    assert result.returncode == 1
    assert "UNKNOWN_TOOL" in result.stderr and '"ehco"' in result.stderr
    result = run("call", "guinae", "echo", "--config", config)
    assert result.returncode == 1
    assert 'did you mean "guinea"?' in result.stderr


def test_a_call_that_is_refused_at_once_says_why(config):
    for name in ("", "t" * 300):
        result = call(config, name)
        assert result.returncode != 0
        assert "name" in result.stderr, name
        assert "not ready" not in result.stderr


def test_a_call_out_of_time_ends_with_five(config, tmp_path):
    arguments = json.dumps({"path": str(tmp_path / "pid")})
    result = call(config, "sleep", arguments, "--timeout", "300", "--json")
    assert result.returncode == 5
    error = json.loads(result.stdout)["error"]
    assert (error["name"], error["stage"]) == ("DEADLINE_EXCEEDED", "running")
    assert (error["stop"], error["tool_runs"]) == ("COOPERATIVE", True)
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_pool_that_cannot_start_ends_with_four_and_the_cause(config):
    adapter = config.with_name("guinea.py")
    adapter.write_text("raise RuntimeError('the model is missing')\n")
    config.write_text(config.read_text() + "    restart_limit: 1\n")
    result = call(config, "echo")
    assert result.returncode == 4
    assert "the model is missing" in result.stderr


def test_an_adapter_that_cannot_be_served_is_told_so_once(config):
    adapter = config.with_name("guinea.py")
    adapter.write_text(
        "class Guinea:\n    def echo(self, value):\n        return value\n"
    )
    config.write_text(config.read_text() + "    restart_limit: 1\n")
    result = call(config, "echo")
    assert result.returncode == 4
    error = told(result.stderr)
    assert error.count("has nothing to call") == 1
    assert re.match(r"snakepit: [A-Z_]+: pool guinea: ", error), error


def told(stderr: str) -> str:
    """What the command says for itself, behind the lines of the log."""
    return stderr[stderr.index("snakepit: ") :]


def test_a_long_sentence_about_an_adapter_is_told_once(config):
    names = [f"AnAdapterOfMany{number:016}" for number in range(20)]
    lines = [f"class {name}:\n    def execute_tool(self): ...\n" for name in names]
    config.with_name("guinea.py").write_text("".join(lines))
    text = config.read_text().replace("guinea.Guinea", "guinea")
    config.write_text(text + "    restart_limit: 1\n")
    result = call(config, "echo")
    assert result.returncode == 4
    # The first is also the one that the remedy takes for an example.
    assert [told(result.stderr).count(name) for name in names] == [2] + [1] * 19


def test_a_worker_that_dies_ends_with_four_and_the_cause():
    result = run("call", "text", "crash", "--config", HYBRID)
    assert result.returncode == 4
    assert "WORKER_DIED" in result.stderr and "SIGKILL" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_call_leaves_no_worker(config, tmp_path, number):
    mark = tmp_path / "pid"
    arguments = json.dumps({"path": str(mark)})
    words = ["call", "guinea", "sleep", arguments, "--config", str(config)]
    process = subprocess.Popen(
        [str(SNAKEPIT), *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: mark.exists() and mark.read_text())
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (128 + number, "")
    assert f"stopped by {number.name}" in err
    assert is_gone(int(mark.read_text()))


def test_a_second_signal_does_not_wait_and_leaves_no_worker(config, tmp_path):
    mark = tmp_path / "pid"
    arguments = json.dumps({"path": str(mark)})
    words = ["call", "guinea", "sleep", arguments, "--config", str(config)]
    process = subprocess.Popen(
        [str(SNAKEPIT), *words],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: mark.exists() and mark.read_text())
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) in (-signal.SIGINT, 128 + signal.SIGINT)
    until(lambda: is_gone(int(mark.read_text())), seconds=2)


def test_a_call_says_that_no_pool_runs(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("pooling_enabled: false\npools:\n  - {name: guinea}\n")
    result = call(path, "echo")
    assert result.returncode != 0
    assert "runs no pool" in result.stderr and "pooling_enabled" in result.stderr


# ---- call --stream ------------------------------------------------------------------


def test_a_stream_is_one_line_a_chunk(config):
    result = call(config, "count", '{"n": 3}', "--stream")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == '{"i":0}\n{"i":1}\n{"i":2}\n'
    result = call(config, "size", '{"text": "four"}', "--stream")
    assert (result.returncode, result.stdout) == (0, "4\n")


def test_a_stream_that_fails_says_so_behind_its_chunks(config):
    arguments = '{"n": 3, "fail_at": 2}'
    result = call(config, "count", arguments, "--stream")
    assert (result.returncode, result.stdout) == (1, '{"i":0}\n{"i":1}\n')
    assert result.stderr.startswith("snakepit: TOOL_FAILED: ValueError: no 2\n")
    result = call(config, "count", arguments, "--stream", "--json")
    *chunks, last = map(json.loads, result.stdout.splitlines())
    assert chunks == [{"i": 0}, {"i": 1}]
    assert last["error"]["message"] == "no 2"
    assert (result.returncode, result.stderr) == (1, "")
    assert call(config, "nothing", "--stream").returncode == 1
    late = call(config, "count", '{"n": 1000000000}', "--stream", "--timeout=300")
    assert late.returncode == 5


def test_a_stream_survives_head_and_stops(config):
    words = ["call", "guinea", "count", '{"n": 1000000000}', "--stream", "--config"]
    command = shlex.join([str(SNAKEPIT), *words, str(config)])
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == '{"i":0}\n'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_chunk_is_flushed_and_a_signal_closes_the_generator(
    config, tmp_path, number
):
    mark = tmp_path / "closed"
    words = ["call", "guinea", "wait", json.dumps({"path": str(mark)}), "--stream"]
    process = subprocess.Popen(
        [str(SNAKEPIT), *words, "--config", str(config)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    worker = int(process.stdout.readline())  # while the tool runs on
    assert not mark.exists()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (128 + number, "")
    assert f"stopped by {number.name}" in err
    assert mark.exists()
    assert is_gone(worker)
