# SPDX-License-Identifier: MIT
"""The GIL that is on only while an extension loads is not taken for one that stays."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import threading

import pytest
from snakepit_bridge import gil


@pytest.fixture
def watched(monkeypatch):
    """Loads are noted as in a worker; afterwards they are not."""
    for loader in (
        importlib.machinery.ExtensionFileLoader,
        importlib.machinery.BuiltinImporter,
    ):
        as_is = loader.__dict__["create_module"]
        monkeypatch.setattr(loader, "create_module", as_is)
        gil.watch_loader(loader)


def load(path):
    name = os.path.basename(path).partition(".")[0]
    spec = importlib.util.spec_from_file_location(
        name, path, loader=importlib.machinery.ExtensionFileLoader(name, str(path))
    )
    return importlib.util.module_from_spec(spec)


def test_a_load_that_is_under_way_leaves_it_open(monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    assert gil.is_gil_enabled()
    begins, ends = threading.Event(), threading.Event()

    def create_module(*_):
        begins.set()
        ends.wait()

    loading = threading.Thread(target=gil.noting(create_module))
    loading.start()
    begins.wait()
    assert not gil.is_gil_enabled()
    ends.set()
    loading.join()
    assert gil.is_gil_enabled()


def test_a_load_within_the_question_leaves_it_open(watched, monkeypatch):
    def ask():
        importlib.machinery.BuiltinImporter.create_module(
            importlib.util.find_spec("_warnings")
        )
        return True

    monkeypatch.setattr(sys, "_is_gil_enabled", ask, raising=False)
    assert not gil.is_gil_enabled()
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert not gil.is_gil_enabled()


@pytest.mark.skipif(
    getattr(sys, "_is_gil_enabled", lambda: True)(), reason="the GIL is on anyway"
)
def test_loads_of_a_free_threaded_python_are_not_taken_for_the_gil(watched):
    folder = sysconfig.get_config_var("DESTSHARED")
    names = ("_json", "_struct", "math", "select", "_csv", "_heapq", "array")
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    paths = [os.path.join(folder, name + suffix) for name in names]
    paths = [path for path in paths if os.path.exists(path)]
    if not paths:
        pytest.skip("this Python has its extensions built in")
    ends = threading.Event()
    seen = []  # what the interpreter says, whatever loads

    def ask():
        while not ends.is_set():
            assert not gil.is_gil_enabled()
            if sys._is_gil_enabled():
                seen.append(True)

    failures = []
    asking = threading.Thread(target=noting_failures, args=(ask, failures, ends))
    asking.start()
    while not ends.is_set() and len(seen) < 100:
        for path in paths:
            load(path)
    ends.set()
    asking.join()
    assert failures == []


def noting_failures(run, failures, ends):
    try:
        run()
    except AssertionError as error:
        failures.append(error)
        ends.set()
