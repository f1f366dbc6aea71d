# SPDX-License-Identifier: MIT
"""What keeps an adapter from being forked, each thing in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import ctypes, os, sys, tempfile
from snakepit_bridge.forkable import Forkability

FILE = {file!r}
C = ctypes.CDLL(None, use_errno=True)
KEPT = []

def keep(thing):
    KEPT.append(thing)
    return thing

def keep_descriptor(number):
    assert number > 7, number

for number in range(1, 8):  # a template's own
    try:
        os.fstat(number)
    except OSError:
        os.dup2(0, number)
forkability = Forkability()
class Adapter: pass
{deed}
reason = forkability.reason_against(Adapter)
with open({said!r}, "w") as said:
    print(reason, len(forkability.reopened), sep="\\n", file=said)
os._exit(0)
"""


def judge(deed, path):
    """Why a process that does so cannot be forked, and how many files are reopened."""
    said = path.with_suffix(".said")
    program = PROGRAM.format(file=str(path), said=str(said), deed=textwrap.dedent(deed))
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    reason, reopened = said.read_text().splitlines()
    return reason, int(reopened)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "kept.bin"
    found.write_bytes(bytes(8192))
    return found


DESCRIPTORS = {
    "a folder": ("keep_descriptor(os.open('/', os.O_RDONLY))", "leaves / open"),
    "a pipe": ("keep_descriptor(os.pipe()[0])", "pipe:"),
    "a socket": ("import socket; keep(socket.socket())", "socket:"),
    "an event loop": ("import asyncio; keep(asyncio.new_event_loop())", "anon_inode"),
    "epoll": ("import select; keep(select.epoll())", "[eventpoll]"),
    "eventfd": ("keep_descriptor(C.eventfd(0, 0))", "[eventfd]"),
    "timerfd": ("keep_descriptor(C.timerfd_create(1, 0))", "[timerfd]"),
    "inotify": ("keep_descriptor(C.inotify_init1(0))", "inotify"),
    "signalfd": (
        "keep_descriptor(C.signalfd(-1, ctypes.create_string_buffer(128), 0))",
        "[signalfd]",
    ),
    "a process": ("keep_descriptor(os.pidfd_open(os.getpid()))", "[pidfd]"),
    "anonymous memory": ("keep_descriptor(os.memfd_create('a'))", "memfd:a"),
    "a terminal": ("keep_descriptor(os.open('/dev/ptmx', os.O_RDWR))", "ptmx"),
    "a file for writing": ("keep(open(FILE, 'r+b'))", "for writing"),
    "a file for appending": ("keep(open(FILE, 'ab'))", "for writing"),
    "a temporary file": ("keep(tempfile.TemporaryFile())", "initialize()"),
    "a file of C": ("keep_descriptor(os.open(FILE, os.O_RDONLY))", "outside of Python"),
    "a database": (
        "import sqlite3; FILE += '.db'\n"
        "sqlite3.connect(FILE).execute('create table t(i)')\n"
        "keep(sqlite3.connect(f'file:{FILE}?mode=ro', uri=True)).execute('select 1')\n"
        "KEPT[0].execute('select * from t')",
        "kept.bin.db",
    ),
    "two names of one": ("keep(os.dup(keep(open(FILE, 'rb')).fileno()))", "Python"),
    "one file twice": ("keep(open(FILE, 'rb')), keep(open(FILE, 'rb'))", "than once"),
    "a file of /proc": ("keep(open('/proc/self/stat', 'rb'))", "of one process"),
    "flock": (
        "import fcntl; fcntl.flock(keep(open(FILE, 'rb')), fcntl.LOCK_SH)",
        "locked",
    ),
    "lockf": (
        "import fcntl; fcntl.lockf(keep(open(FILE, 'rb')), fcntl.LOCK_SH)",
        "locked",
    ),
    "all closed": ("os.closerange(3, 100)", "descriptor 3"),
    "standard output": ("os.dup2(os.open(FILE, os.O_RDWR), 1)", "descriptor 1"),
    "standard input": ("os.dup2(os.pipe()[0], 0)", "pipe:"),
}

MEMORY = {
    "anonymous": ("import mmap; keep(mmap.mmap(-1, 4096))", "shared and writable"),
    "a file's": (
        "import mmap\nwith open(FILE, 'r+b') as f: keep(mmap.mmap(f.fileno(), 0))",
        "shared and writable",
    ),
    "a lock": ("import multiprocessing; keep(multiprocessing.Lock())", "shared"),
    "a value": ("import multiprocessing; keep(multiprocessing.Value('i'))", "share"),
    "locked": (
        "assert C.mlock(keep(ctypes.create_string_buffer(64)), 64) == 0",
        "mlock",
    ),
}

PROCESS = {
    "a thread": (
        "import threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "2 threads",
    ),
    "a child": ("import subprocess; keep(subprocess.Popen(['true']))", "a process"),
    "another group": (
        "if os.fork(): os._exit(os.waitpid(-1, 0)[1])",
        "left its process group",
    ),
    "an alarm": ("import signal; signal.alarm(1000)", "set a timer"),
    "an interval": (
        "import signal; signal.setitimer(signal.ITIMER_PROF, 1000)",
        "set a timer",
    ),
    "a POSIX timer": (
        "assert C.timer_create(1, None, ctypes.create_string_buffer(64)) == 0",
        "set a timer",
    ),
    "its author's no": ("Adapter.__forkable__ = False", "__forkable__ = False"),
}

CHANCE = {
    "random was seeded": ("import random; random.seed(42)", "seeded or used `random`"),
    "random was used": ("import random; random.random()", "seeded or used `random`"),
    "a Random": ("import random; keep(random.Random())", "(random.Random)"),
    "a seeded Random": ("import random; keep(random.Random(42))", "(random.Random)"),
    "a Random of a class": (
        "import random\nclass Mine(random.Random): pass\nclass A: numbers = Mine()",
        "(__main__.Mine)",
    ),
    "a Random of C": (
        "import _random\nclass Mine(_random.Random): pass\nkeep(Mine())",
        "(__main__.Mine)",
    ),
    "a frozen Random": (
        "import gc, random; keep(random.Random()); gc.collect(); gc.freeze()",
        "(random.Random)",
    ),
    "numbers read ahead": ("keep(open('/dev/urandom', 'rb')).read(1)", "with a buffer"),
    "a folder's name": ("keep(tempfile.mkdtemp(dir=FILE[:-9]))", "temporary"),
    "a folder": ("keep(tempfile.TemporaryDirectory(dir=FILE[:-9]))", "temporary"),
}

NUMPYS_CHANCE = {
    "was seeded": ("numpy.random.seed(1)", "seeded or used `numpy.random`"),
    "was used": ("numpy.random.normal()", "seeded or used `numpy.random`"),
    "a Generator": ("keep(numpy.random.default_rng())", "Generator)"),
    "a seeded one": ("keep(numpy.random.default_rng(1))", "Generator)"),
    "a RandomState": ("keep(numpy.random.RandomState())", "RandomState)"),
    "bits": ("keep(numpy.random.Philox())", "Philox)"),
    "a seed": ("keep(numpy.random.SeedSequence())", "SeedSequence)"),
}

HARMLESS = {
    "nothing": ("", 0),
    "a device": (
        "keep(open('/dev/urandom', 'rb', buffering=0)), keep(open('/dev/null', 'w'))",
        0,
    ),
    "a path": ("keep_descriptor(os.open('/', os.O_PATH))", 0),
    "a file": ("keep(open(FILE, 'rb'))", 1),
    "a file as text": ("keep(open(FILE, encoding='ascii')).read(10)", 1),
    "a file without a name": ("keep(open(FILE, 'rb')); os.unlink(FILE)", 1),
    "a file that is closed": ("keep(open(FILE, 'r+b')).close()", 0),
    "an archive": (
        "import zipfile; zipfile.ZipFile(FILE, 'w').writestr('a', 'b')\n"
        "keep(zipfile.ZipFile(FILE)).read('a')",
        1,
    ),
    "a file that is mapped": (
        "import mmap\nwith open(FILE, 'rb') as f:"
        " keep(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))",
        1,
    ),
    "a mapping that is closed": ("import mmap; keep(mmap.mmap(-1, 4096)).close()", 0),
    "the system's numbers": (
        "import random, secrets; keep(random.SystemRandom()).random()\n"
        "secrets.token_hex()",
        0,
    ),
    "a lock that is gone": (
        "import multiprocessing; keep(multiprocessing.Lock()); KEPT.clear()",
        0,
    ),
    "a lock of threads": ("import threading; keep(threading.Lock()).acquire()", 0),
    "a class that lies": (
        "class Liar:\n"
        "    @property\n"
        "    def __class__(self): raise SystemExit('its code has run')\n"
        "    def __getattr__(self, name): raise SystemExit('its code has run')\n"
        "keep(Liar())",
        0,
    ),
}


def cases(*tables):
    return [
        pytest.param(*case, id=name.replace(" ", "_"))
        for table in tables
        for name, case in table.items()
    ]


@pytest.mark.parametrize(("deed", "said"), cases(DESCRIPTORS))
def test_an_open_description_that_workers_would_share_is_found(path, deed, said):
    reason, _ = judge(deed, path)
    assert said in reason


@pytest.mark.parametrize(("deed", "said"), cases(MEMORY, PROCESS))
def test_what_a_fork_would_share_or_lose_is_found(path, deed, said):
    reason, _ = judge(deed, path)
    assert said in reason


@pytest.mark.parametrize(("deed", "said"), cases(CHANCE))
def test_what_all_forks_would_have_in_common_is_found(path, deed, said):
    reason, _ = judge(deed, path)
    assert said in reason


@pytest.mark.parametrize(("deed", "said"), cases(NUMPYS_CHANCE))
def test_what_all_forks_would_have_of_numpy_is_found(path, deed, said):
    pytest.importorskip("numpy")
    reason, _ = judge(f"import numpy.random\n{deed}", path)
    assert said in reason


@pytest.mark.parametrize(("deed", "reopened"), cases(HARMLESS))
def test_what_is_known_to_be_harmless_may_be_forked(path, deed, reopened):
    assert judge(deed, path) == ("", reopened)


@pytest.mark.parametrize(
    ("deed", "reopened"),
    [
        ("", 0),
        ("keep(numpy.memmap(FILE, mode='r'))", 1),
        ("numpy.savez(FILE + '.npz', a=[1]); keep(numpy.load(FILE + '.npz'))", 1),
    ],
)
def test_numpy_and_its_files_may_be_forked(path, deed, reopened):
    pytest.importorskip("numpy")
    assert judge(f"import numpy.random\n{deed}", path) == ("", reopened)
