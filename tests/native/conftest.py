# SPDX-License-Identifier: MIT
"""Builds parts of the extension for the interpreter that runs pytest and gives them to
the tests.
"""

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from build import build


@pytest.fixture(scope="session")
def codec(tmp_path_factory):
    """The module `_codec_test`: CODEC_MODULE names one that was built already, and
    CODEC_FOLDER where it is to be kept.
    """
    folder = os.environ.get("CODEC_FOLDER") or tmp_path_factory.mktemp("codec")
    path = os.environ.get("CODEC_MODULE") or str(build(Path(folder)))
    return load("_codec_test", path)


def load(name, path):
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def batch_module(tmp_path_factory):
    """The module `_batch_test`: what gathers batches, with a ring of its own."""
    name = "_batch_test"
    return load(name, str(build(tmp_path_factory.mktemp("batch"), name)))


@pytest.fixture(scope="session")
def fit_module(tmp_path_factory):
    """The module `_fit_test`."""
    name = "_fit_test"
    return load(name, str(build(tmp_path_factory.mktemp("fit"), name)))


@pytest.fixture
def executor(codec):
    """A fresh executor; what it leaves in the arena or in leases fails the test."""
    before = codec.usage()
    executor = codec.Executor()
    yield executor
    executor.release()
    assert codec.usage() == before
