# SPDX-License-Identifier: MIT
"""The snakepit command as a person and as a script use it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from support import default_python
from support.command import (
    HYBRID,
    SNAKEPIT,
    THREADED_SHOWCASE,
    call,
    environment,
    run,
    write_config,
)
from support.places import ROOT


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path)


# ---- Help and usage -----------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_command_and_exit_code(words):
    result = run(*words)
    assert result.returncode == 0
    assert result.stderr == ""
    for word in ["check", "doctor", "call", "demo", "python", "config", "help"]:
        assert re.search(rf"^  {word} ", result.stdout, re.M)
    for code in range(7):
        assert re.search(rf"^  {code} ", result.stdout, re.M)


@pytest.mark.parametrize(
    "command", ["check", "doctor", "call", "demo", "python", "config", "help"]
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
        (["doctor", "a", "b"], 'takes no argument "b"'),
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
        ["doctor"],
        ["new-adapter", "written"],
        ["check-adapter", "--threads=2", "--calls=1", THREADED_SHOWCASE],
    ],
)
def test_output_survives_head(words, tmp_path):
    command = shlex.join([str(SNAKEPIT), *words])
    script = f"set -o pipefail; {command} | head -1"
    result = subprocess.run(
        ["bash", "-c", script],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
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
    command = shlex.join(
        [str(SNAKEPIT), "call", "guinea", "echo", "--config", str(config)]
    )
    result = subprocess.run(
        ["bash", "-c", f"{command} >&-"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 6
    assert "cannot write to standard output" in result.stderr


# ---- check --------------------------------------------------------------------------


def test_check_says_what_each_pool_will_be():
    default_python("thread")  # skips where there is none
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
    assert result.stdout.startswith(f"{path}: 1 pool\n")  # and not "valid"
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
    default_python("thread")  # skips where there is none
    report = json.loads(run("check", HYBRID, "--json").stdout)
    assert report["ok"] is True
    text, arrays = report["pools"]
    assert (text["name"], text["runs_as"], text["bridge"]) == ("text", "process", True)
    assert (arrays["runs_as"], arrays["runs_threads"]) == ("thread", True)
    assert arrays["problem"] is None


def test_check_says_where_the_daemon_listens(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("pools: []\n")
    assert "listens" not in run("check", path).stdout
    assert json.loads(run("check", path, "--json").stdout)["serve"] is None
    path.write_text(
        "pools: []\n"
        "serve:\n"
        "  listen:\n"
        "    - localhost:8470\n"
        "    - {address: 'unix:a.sock', mode: '0660'}\n"
        "    - address: '[::]:8471'\n"
        "      tls: {certificate: c.pem, key: k.pem, client_ca: ca.pem}\n"
        "      tokens: t.yaml\n"
    )
    result = run("check", path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1:] == [
        "  listens on 127.0.0.1:8470",
        f"  listens on unix:{tmp_path}/a.sock, mode 0660",
        "  listens on [::]:8471, TLS, client certificates, tokens",
    ]
    local, unix, remote = json.loads(run("check", path, "--json").stdout)["serve"][
        "listen"
    ]
    nothing = {"tls": False, "client_certificates": False, "tokens": False}
    assert local == {"address": "127.0.0.1:8470", "mode": None, **nothing}
    assert unix["mode"] == "0660"
    assert (remote["tls"], remote["client_certificates"]) == (True, True)
    assert remote["tokens"] is True


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
        timeout=240,
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
    default_python("thread")  # skips where there is none
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
