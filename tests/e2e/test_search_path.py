# SPDX-License-Identifier: MIT
"""Whose modules workers import, and the command: never those of the current folder."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest
from support import pool
from support.command import environment, run
from support.places import PYTHONS, SYSTEM

# The names of modules that an interpreter, the bridge or multiprocessing imports.
FOREIGN = ("token", "queue", "json", "runpy", "numpy", "pickle", "asyncio", "pdb")
ADAPTER = """
import os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import helper
from snakepit_bridge import tool

class Paths:
    @tool
    def path(self):
        return sys.path

    @tool
    def helper(self):
        return helper.__file__

    @tool
    def spawned(self):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(abs, -7).result()

    @tool
    def child(self):
        words = [sys.executable, "-c", "import sys; print(repr(sys.path[0]))"]
        said = subprocess.run(words, capture_output=True, text=True).stdout
        return [said.strip(), os.environ.get("PYTHONSAFEPATH")]

    @tool
    def words(self):
        return [os.path.basename(sys.argv[0]), *sys.argv[1:]]
"""


@pytest.fixture
def foreign(tmp_path):
    """A folder in which somebody stands, with files that must not be run."""
    folder = tmp_path / "foreign"
    (folder / "snakepit_bridge").mkdir(parents=True)
    for name in (*FOREIGN, "snakepit_bridge/__init__"):
        (folder / f"{name}.py").write_text("raise SystemExit('foreign code')\n")
    return folder


@pytest.fixture
def app(tmp_path):
    """The folder of a configuration, an adapter, and a module of its own."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "paths.py").write_text(ADAPTER)
    (folder / "helper.py").touch()
    return folder


def configure(folder, **options):
    path = folder / "c.json"
    made = pool("process", adapter="paths.Paths", adapter_args=["a"], **options)
    path.write_text(json.dumps({"pools": [made]}))
    return path


def call(config, tool, **options):
    done = run("call", "default", tool, "--config", config, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def library(name, python=SYSTEM):
    """A folder of an interpreter."""
    code = f"import sysconfig; print(sysconfig.get_paths()[{name!r}])"
    done = subprocess.run([python, "-c", code], capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.mark.parametrize("safe", [None, ""], ids=["safe_path", "as_before_3.11"])
def test_nothing_of_the_current_folder_is_run(app, foreign, safe):
    """Before 3.11 Python has no safe path; here a pool can ask it not to use it."""
    extra = {} if safe is None else {"adapter_env": {"PYTHONSAFEPATH": safe}}
    config = configure(app, **extra)
    checked = run("check", config, cwd=foreign)
    assert (checked.returncode, checked.stderr) == (0, "")
    path = call(config, "path", cwd=foreign)
    assert str(foreign) not in path and "" not in path
    assert call(config, "helper", cwd=foreign) == str(app / "helper.py")


@pytest.mark.parametrize("empty", [":", ":{0}", "{0}:", "{0}::{0}"])
def test_an_empty_entry_of_pythonpath_is_not_the_current_folder(
    app, foreign, tmp_path, empty
):
    """As Python would have it, before the standard library."""
    named = empty.format(tmp_path / "named")
    config = configure(app)
    extra = {"PYTHONPATH": named}
    for words in (("check", config), ("python",), ("call", "default", "path")):
        asked = ("--config", config) if words[0] == "call" else ()
        done = run(*words, *asked, cwd=foreign, env={**environment(), **extra})
        assert "foreign code" not in done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
    path = json.loads(done.stdout)
    assert str(foreign) not in path and "" not in path
    config = configure(app, adapter_env=extra)
    path = call(config, "path", cwd=foreign)
    assert str(foreign) not in path and "" not in path


def test_what_multiprocessing_starts_does_not_look_there_either(app, foreign):
    if library("stdlib") < "/usr/lib/python3.11":
        pytest.skip("before 3.11 Python has no safe path")
    assert call(configure(app), "spawned", cwd=foreign) == 7


def test_programs_that_a_tool_starts_look_for_modules_as_usual(app):
    assert call(configure(app), "child") == ["''", None]


def test_the_adapters_folder_comes_between_python_and_what_is_installed(app, tmp_path):
    asked = tmp_path / "asked_for"
    asked.mkdir()
    config = configure(app, adapter_env={"PYTHONPATH": str(asked)})
    path = call(config, "path")
    order = [str(asked), library("stdlib"), str(app), library("purelib")]
    assert sorted(order, key=path.index) == order


def test_a_file_beside_the_adapter_is_no_module_of_python(app):
    (app / "token.py").write_text("raise SystemExit('not the tokens of Python')\n")
    (app / "queue.py").write_text("raise SystemExit('not the queue of Python')\n")
    assert call(configure(app), "spawned") == 7


def test_a_module_beside_the_adapter_comes_before_an_installed_one(app):
    (app / "pytest.py").write_text("HERE = True\n")
    (app / "paths.py").write_text(ADAPTER.replace("import helper", "import pytest"))
    text = (app / "paths.py").read_text().replace("helper.__file__", "pytest.HERE")
    (app / "paths.py").write_text(text)
    assert call(configure(app), "helper") is True


@pytest.mark.parametrize("name", ["token", "queue", "time"])
def test_an_adapter_with_the_name_of_pythons_module_is_told_so(app, name):
    (app / f"{name}.py").write_text(ADAPTER)
    config = configure(app)
    config.write_text(config.read_text().replace("paths.Paths", f"{name}.Paths"))
    checked = run("check", config)
    assert checked.returncode == 1
    assert f'Python has a module "{name}" of its own' in checked.stderr
    called = run("call", "default", "path", "--config", config)
    assert f"{app}/{name}.py cannot be imported" in called.stderr
    assert "another name" in called.stderr


def test_check_sees_what_the_environment_of_the_pool_brings(app, tmp_path):
    """The bridge is not installed for the interpreter, but PYTHONPATH leads to it."""
    bare = tmp_path / "bare"
    words = [SYSTEM, "-m", "venv", "--without-pip", str(bare)]
    subprocess.run(words, check=True, timeout=240)
    packages = library("platlib")
    config = configure(app, adapter_env={"PYTHONPATH": packages})
    text = config.read_text().replace(
        json.dumps(SYSTEM), json.dumps(f"{bare}/bin/python")
    )
    config.write_text(text)
    checked = run("check", config)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert packages in call(config, "path")
    without = configure(app)
    without.write_text(
        without.read_text().replace(
            json.dumps(SYSTEM), json.dumps(f"{bare}/bin/python")
        )
    )
    checked = run("check", without)
    assert checked.returncode == 1
    assert "has no snakepit_bridge" in checked.stderr


def test_check_sees_that_the_environment_of_the_pool_turns_the_gil_on(app):
    config = app / "t.json"
    made = pool("thread", adapter="paths.Paths", adapter_env={"PYTHON_GIL": "1"})
    config.write_text(json.dumps({"pools": [made]}))
    assert "falls back" in run("check", config).stdout


def test_the_adapter_commands_run_nothing_foreign(foreign):
    made = run("new-adapter", "word_count", cwd=foreign)
    assert made.returncode == 0, made.stderr
    for python in PYTHONS:
        words = ("check-adapter", "word_count:WordCount", "--python", python)
        checked = run(*words, cwd=foreign)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_worker_has_the_words_of_its_pool(app):
    program, *words = call(configure(app), "words")
    assert pathlib.Path(program).suffix == ".py"
    assert words == ["a"]
