# SPDX-License-Identifier: MIT
"""What a worker in a sandbox can still do. Each tool says OK or the errno's name."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
import sys

from snakepit_bridge import BaseAdapter, tool

CORE = resource.RLIMIT_CORE
libc = ctypes.CDLL(None, use_errno=True)


def outcome(result: int) -> str:
    return "OK" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def attempt(action) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "OK"


class Confined(BaseAdapter):
    __thread_safe__ = True

    @tool
    def read(self, path: str) -> str:
        return attempt(lambda: open(path, "rb").close())

    @tool
    def write(self, path: str) -> str:
        return attempt(lambda: open(path, "wb").close())

    @tool
    def status(self, key: str) -> str:
        with open("/proc/self/status") as lines:
            return dict(line.split(":\t", 1) for line in lines)[key].strip()

    @tool
    def mount(self) -> str:
        return outcome(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))

    @tool
    def unshare(self) -> str:
        return outcome(libc.unshare(0x10000000))  # CLONE_NEWUSER

    @tool
    def ptrace(self, pid: int) -> str:
        return outcome(libc.ptrace(16, pid, None, None))  # PTRACE_ATTACH

    @tool
    def signal(self, pid: int) -> str:
        return attempt(lambda: os.kill(pid, 0))

    @tool
    def limit(self, pid: int) -> str:
        """Sets a limit of a process, to what it is."""
        return attempt(lambda: resource.prlimit(pid, CORE, resource.prlimit(0, CORE)))

    @tool
    def device(self, path: str) -> str:
        """Makes a node of /dev/null's numbers there."""
        return attempt(lambda: os.mknod(path, 0o20600, os.makedev(1, 3)))

    @tool
    def status_of_child(self, key: str) -> str:
        """The same in a program that is started."""
        text = subprocess.check_output(["cat", "/proc/self/status"], text=True)
        return dict(line.split(":\t", 1) for line in text.splitlines())[key].strip()

    @tool
    def child(self, path: str) -> str:
        """The same attempt in a program that is started."""
        script = f"import confined; print(confined.Confined.read(None, {path!r}))"
        folder = os.path.dirname(__file__)
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
        )
        return done.stdout.strip() or done.stderr

    @tool
    def user(self) -> list[int]:
        return [os.getuid(), os.getgid(), *os.getgroups()]

    @tool
    def own_group(self, file: str) -> str:
        """A file of this worker's control group of version 2."""
        with open("/proc/self/cgroup") as lines:
            path = next(line[3:].strip() for line in lines if line.startswith("0::"))
        with open(f"/sys/fs/cgroup{path}/{file}") as text:
            return text.read().strip()

    @tool
    def fill(self, mib: int) -> int:
        """Takes memory, and needs each page of it."""
        return len(bytearray(b"x") * (mib << 20))

    @tool
    def thread(self) -> str:
        """Threads are still to be had, though the way to ask for them is another."""
        import threading

        ended = []
        one = threading.Thread(target=lambda: ended.append("OK"))
        one.start()
        one.join()
        return ended[0]
