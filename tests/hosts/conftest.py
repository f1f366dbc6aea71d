# SPDX-License-Identifier: MIT
"""What the tests of hosts share: an installed Snakepit, a daemon, and the census."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import ml_dtypes  # noqa: F401 - NumPy starts threads, which are no test's
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
E2E = ROOT / "tests/e2e"
HOSTS = ROOT / "examples/hosts"
sys.path.insert(0, str(E2E))
os.environ["PYTHONPATH"] = str(E2E / "adapters")

from support.census import Census, settled_leaks  # noqa: E402
from support.daemon import Daemon  # noqa: E402
from support.missing import missing, pytest_sessionfinish  # noqa: E402, F401
from support.places import BUILD  # noqa: E402
from support.processes import MARK, MARK_VALUE, marked  # noqa: E402
from support.programs import skip_if_sanitized  # noqa: E402
from support.served import config, end, serve  # noqa: E402

os.environ[MARK] = MARK_VALUE  # inherited by all that these tests start


@pytest.fixture(autouse=True, scope="module")
def census() -> Iterator[None]:
    """Fails if anything is left of a file's tests, with the servers that they share."""
    before = Census.take()
    yield
    left = settled_leaks(before)
    for process in marked() - before.processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)  # not into the next file's census
    assert not left, "left behind: " + "; ".join(left)


def needs(name: str, *folders: str) -> str:
    """The path of a command. Skips the test where there is none."""
    path = os.pathsep.join([*folders, os.environ["PATH"], "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        missing(name)
    return found


def say(*words: str | os.PathLike[str], **options) -> str:
    """What a command prints that is to succeed."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=250, check=False, **options
    )
    assert done.returncode == 0, (
        f"{words}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


class Place:
    """A folder that other users may read, with an installed Snakepit."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.prefix = folder / "prefix"
        say("cmake", "--install", BUILD, "--prefix", self.prefix)
        self.libraries = next(self.prefix.rglob("libsnakepit.so")).parent
        self.env = {
            **os.environ,
            "PKG_CONFIG_PATH": str(self.libraries / "pkgconfig"),
            "LD_LIBRARY_PATH": str(self.libraries),
        }

    def make(self, name: str, *words: str) -> pathlib.Path:
        """Runs make in a copy of a folder of examples/hosts."""
        copy = self.folder / name
        shutil.copytree(HOSTS / name, copy, dirs_exist_ok=True)
        say("make", "-C", copy, *words, env=self.env)
        return copy

    def flags(self) -> list[str]:
        """Of the compiler, as pkg-config has them."""
        found = say("pkg-config", "--cflags", "--libs", "snakepit", env=self.env)
        return shlex.split(found)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    skip_if_sanitized()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hosts-"))
    folder.chmod(0o755)
    yield Place(folder)
    shutil.rmtree(folder)


class Door:
    """A local door that every user may use, and whichever daemon serves it now."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.address = f"unix:{folder}/local.sock"
        door = {"address": self.address, "door": "local", "mode": "0666"}
        listen = ["127.0.0.1:0", door]
        # A worker more than tests leave waiting.
        self.config = config(folder, {"listen": listen}, pool_size=2)
        self.daemon: Daemon | None = None
        self.start()

    def start(self) -> None:
        self.daemon = serve(self.config)

    def kill(self) -> None:
        self.daemon.kill()
        self.daemon.end()
        self.daemon = None

    def end(self) -> None:
        if self.daemon is not None:
            end([self.daemon])


@pytest.fixture(scope="module")
def door(place: Place) -> Iterator[Door]:
    made = Door(place.folder)
    yield made
    made.end()


@pytest.fixture
def note() -> Iterator[pathlib.Path]:
    """A file where the tool `wait` says what becomes of it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hosts-"))
    yield folder / "note"
    shutil.rmtree(folder)


@contextlib.contextmanager
def or_killed(popen: subprocess.Popen) -> Iterator[None]:
    """A server that does not begin to serve is not left behind."""
    try:
        yield
    except BaseException:
        popen.kill()
        popen.wait()
        raise


def unprivileged() -> dict[str, object]:
    """How to start what refuses to run as root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
