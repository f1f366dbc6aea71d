# SPDX-License-Identifier: MIT
"""The snakepit command as a person and as a script use it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SNAKEPIT_BUILD_DIR", ROOT / "build/dev"))
SNAKEPIT = BUILD / "bin/snakepit"
HYBRID = ROOT / "examples/hybrid.yaml"
THREADED_SHOWCASE = "snakepit_bridge.adapters.threaded_showcase:ThreadedShowcaseAdapter"

ADAPTER = """
import os, time
from snakepit_bridge import BaseAdapter, tool

class Guinea(BaseAdapter):
    @tool
    def echo(self, **arguments):
        print("hello from the adapter")
        return arguments

    @tool
    def size(self, text):
        return len(text)

    @tool
    def session(self):
        return self.session_id

    @tool
    def fail(self, message="no"):
        raise ValueError(message)

    @tool
    def sleep(self, path, seconds=30):
        with open(path, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(seconds)

    @tool
    def big(self, length):
        return "x" * length

    @tool
    def count(self, n, fail_at=-1):
        for i in range(n):
            if i == fail_at:
                raise ValueError(f"no {i}")
            yield {"i": i}

    @tool
    def wait(self, path):
        yield os.getpid()
        try:
            while True:
                time.sleep(0.01)
        finally:
            open(path, "w").close()
"""


def environment(**more):
    found = dict(os.environ)
    found.pop("SNAKEPIT_LOG", None)
    for name, kind in (("SNAKEPIT_PYTHON", "SYSTEM"), ("SNAKEPIT_PYTHON_FT", "FT")):
        python = os.environ.get(f"SNAKEPIT_PYTHON_{kind}")
        found[name] = python or str(ROOT / f"build/venv/{kind.lower()}/bin/python")
    found.update(more)
    return found


def run(*words, env=None, **options):
    """Run the command; text in and out, at most a minute."""
    return subprocess.run(
        [str(SNAKEPIT), *map(str, words)],
        env=env or environment(),
        stdin=options.pop("stdin", None if "input" in options else subprocess.DEVNULL),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def config(tmp_path):
    (tmp_path / "guinea.py").write_text(ADAPTER)
    path = tmp_path / "guinea.yaml"
    path.write_text(
        "pools:\n  - name: guinea\n    pool_size: 1\n    adapter: guinea.Guinea\n"
    )
    return path


def call(config, tool, *words, **options):
    return run("call", "guinea", tool, *words, "--config", config, **options)


def is_gone(pid):
    """True once there is no such process, or only its corpse."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def workers_of(pid):
    """The pids of a process's children, whichever of its threads started them."""
    files = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


# ---- Help and usage -----------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_command_and_exit_code(words):
    result = run(*words)
    assert result.returncode == 0
    assert result.stderr == ""
    for word in ["check", "call", "demo", "python", "config", "help"]:
        assert re.search(rf"^  {word} ", result.stdout, re.M)
    for code in range(7):
        assert re.search(rf"^  {code} ", result.stdout, re.M)


@pytest.mark.parametrize(
    "command", ["check", "call", "demo", "python", "config", "help"]
)
def test_each_command_has_help_by_either_name(command):
    one, other = run("help", command), run(command, "--help")
    assert one.returncode == other.returncode == 0
    assert one.stdout == other.stdout
    assert one.stdout.startswith(f"usage: snakepit {command}")


def test_version_is_that_of_the_header():
    header = (ROOT / "include/snakepit/version.h").read_text()
    version = re.search(r'SNAKEPIT_VERSION\s+"([^"]+)"', header)[1]
    assert run("--version").stdout == f"snakepit {version}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "which command?"),
        (["chekc"], 'did you mean "check"?'),
        (["frobnicate"], 'there is no command "frobnicate" (see'),
        (["help", "dmeo"], 'did you mean "demo"?'),
        (["--json", "check"], "a command comes first"),
        (["check"], "check needs FILE"),
        (["check", "a", "b"], 'takes no argument "b"'),
        (["check", "a", "--jsno"], "did you mean --json?"),
        (["call", "p", "t"], "call needs --config FILE"),
        (["call", "p", "t", "--config"], "--config needs a value"),
        (["call", "p", "t", "--config=f", "--timeout=0"], "from 1 to 86400000"),
        (["call", "p", "t", "--config=f", f"--session={'x' * 256}"], "255 bytes"),
        (["config"], "--reference or --schema"),
        (["config", "--reference", "--schema"], "--reference or --schema"),
    ],
)
def test_a_wrong_command_line_says_what_and_ends_with_two(words, says):
    result = run(*words)
    assert result.returncode == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert result.stderr.startswith("snakepit: ") and result.stderr.count("\n") == 1


def test_docs_are_what_the_command_prints():
    assert (ROOT / "docs/cli.md").read_text() == run("help", "--reference").stdout


def test_config_prints_the_reference_and_the_schema():
    assert "pool_size" in run("config", "--reference").stdout
    assert isinstance(json.loads(run("config", "--schema").stdout), dict)


# ---- Output -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["help", "--reference"],
        ["config", "--reference"],
        ["python"],
        ["check", str(HYBRID)],
        ["check", str(HYBRID), "--json"],
        ["new-adapter", "written"],
        ["check-adapter", "--threads=2", "--calls=1", THREADED_SHOWCASE],
    ],
)
def test_output_survives_head(words, tmp_path):
    command = " ".join([str(SNAKEPIT), *words])
    script = f"set -o pipefail; {command} | head -1"
    result = subprocess.run(
        ["bash", "-c", script],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1


def test_a_reader_who_is_gone_from_the_start_is_no_error(config):
    read, write = os.pipe()
    os.close(read)
    result = call(config, "big", '{"length": 1000000}', stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_is_an_error(config):
    for words in (["--help"], ["call", "guinea", "echo", "--config", config]):
        with open("/dev/full", "w") as full:
            result = run(*words, stdout=full)
        assert result.returncode == 6
        assert "cannot write to standard output: No space left" in result.stderr


def test_a_closed_standard_output_is_an_error_and_nobody_elses_descriptor(config):
    result = subprocess.run(
        ["bash", "-c", f"{SNAKEPIT} call guinea echo --config {config} >&-"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 6
    assert "cannot write to standard output" in result.stderr


# ---- check --------------------------------------------------------------------------


def test_check_says_what_each_pool_will_be():
    result = run("check", HYBRID)
    assert (result.returncode, result.stderr) == (0, "")
    assert "valid, 2 pools" in result.stdout
    assert re.search(r"text +process +2 workers x 1 thread ", result.stdout)
    assert re.search(
        r"arrays +thread +1 worker x 4 threads .*free-threaded", result.stdout
    )
    assert result.stdout.count("has the bridge") == 2


def test_check_looks_for_the_adapter(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("pools:\n  - {name: a, adapter: nothere.Class}\n")
    result = run("check", path)
    assert result.returncode == 1
    assert 'pool "a": adapter: "nothere.Class"' in result.stderr
    assert 'finds no module "nothere"' in result.stderr
    (tmp_path / "beside.py").write_text("raise SystemExit('it was run')\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.py").touch()
    path.write_text(
        "pools:\n"
        "  - {name: a, adapter: 'beside:Class'}\n"
        f"  - {{name: b, adapter: other, adapter_env: {{PYTHONPATH: {elsewhere}}}}}\n"
        "  - {name: c}\n"
    )
    result = run("check", path)
    assert (result.returncode, result.stderr) == (0, "")


def test_check_as_json_is_one_object():
    report = json.loads(run("check", HYBRID, "--json").stdout)
    assert report["ok"] is True
    text, arrays = report["pools"]
    assert (text["name"], text["runs_as"], text["bridge"]) == ("text", "process", True)
    assert (arrays["runs_as"], arrays["runs_threads"]) == ("thread", True)
    assert arrays["problem"] is None


def test_check_says_that_threads_fall_back(tmp_path):
    path = tmp_path / "c.yaml"
    pool = "pools:\n  - {name: a, worker_profile: thread, threads_per_worker: 4,"
    python = environment()["SNAKEPIT_PYTHON"]
    path.write_text(f"{pool} pool_size: 2, python: {python}}}\n")
    result = run("check", path)
    assert result.returncode == 0
    assert "falls back to 8 processes" in result.stdout
    path.write_text(f"{pool} on_unsupported: refuse, python: {python}}}\n")
    result = run("check", path)
    assert result.returncode == 1
    assert 'pool "a"' in result.stderr and "on_unsupported is refuse" in result.stderr


def test_check_finds_an_interpreter_without_the_bridge(tmp_path):
    bare = tmp_path / "bare"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(bare)],
        check=True,
        timeout=60,
    )
    path = tmp_path / "c.yaml"
    path.write_text(f"pools:\n  - {{name: a, python: {bare}/bin/python}}\n")
    result = run("check", path)
    assert result.returncode == 1
    assert "has no snakepit_bridge" in result.stderr
    assert json.loads(run("check", path, "--json").stdout)["ok"] is False


def test_an_invalid_configuration_ends_with_three_and_the_librarys_words(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("pools:\n  - name: a\n    pool_sise: 2\n")
    result = run("check", path)
    assert (result.returncode, result.stdout) == (3, "")
    assert f"{path}:3" in result.stderr and 'did you mean "pool_size"' in result.stderr
    called = run("call", "a", "ping", "--config", path)
    assert (called.returncode, called.stderr) == (3, result.stderr)
    error = json.loads(run("check", path, "--json").stdout)["error"]
    assert error["name"] == "INVALID_CONFIG" and "pool_sise" in error["message"]


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    result = run("check", tmp_path / "none.yaml")
    assert result.returncode in (3, 6)
    assert "none.yaml" in result.stderr


# ---- python -------------------------------------------------------------------------


def test_python_lists_both_interpreters():
    entries = json.loads(run("python", "--json").stdout)
    by_name = {entry["found_as"]: entry for entry in entries}
    assert by_name["SNAKEPIT_PYTHON"]["bridge"] is True
    assert by_name["SNAKEPIT_PYTHON_FT"]["runs_threads"] is True
    text = run("python").stdout
    assert "thread and process pools" in text
    assert all(entry["executable"] in text for entry in entries)


def test_python_says_why_a_variable_leads_nowhere():
    result = run("python", env=environment(SNAKEPIT_PYTHON="/nowhere/python"))
    assert "SNAKEPIT_PYTHON: " in result.stdout and "/nowhere/python" in result.stdout


# ---- call ---------------------------------------------------------------------------


def test_call_prints_the_result_as_one_line(config):
    result = call(config, "echo", '{"a": [1, 2.5, null, true, "é"]}')
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == {"a": [1, 2.5, None, True, "é"]}


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


def test_a_call_out_of_time_ends_with_five(config, tmp_path):
    arguments = json.dumps({"path": str(tmp_path / "pid")})
    result = call(config, "sleep", arguments, "--timeout", "300")
    assert result.returncode == 5
    assert "DEADLINE_EXCEEDED" in result.stderr
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
    assert result.stderr.count("has nothing to call") == 1
    assert result.stderr.splitlines()[-1].startswith("snakepit: pool guinea: ")


def test_a_long_sentence_about_an_adapter_is_told_once(config):
    names = [f"AnAdapterOfMany{number:016}" for number in range(20)]
    lines = [f"class {name}:\n    def execute_tool(self): ...\n" for name in names]
    config.with_name("guinea.py").write_text("".join(lines))
    text = config.read_text().replace("guinea.Guinea", "guinea")
    config.write_text(text + "    restart_limit: 1\n")
    result = call(config, "echo")
    assert result.returncode == 4
    # The first is also the one that the remedy takes for an example.
    assert [result.stderr.count(name) for name in names] == [2] + [1] * 19


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
    command = f"{SNAKEPIT} call guinea count '{{\"n\": 1000000000}}' --stream"
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} --config {config} | head -1"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
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
    result = run("demo", "--config", HYBRID)
    assert_demo_is_right(result)
    assert re.search(r"^arrays +thread profile", result.stdout, re.M)
    assert "fell back" not in result.stdout


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
    script = f"set -o pipefail; {SNAKEPIT} demo --config {HYBRID} | head -1"
    result = subprocess.run(
        ["bash", "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
