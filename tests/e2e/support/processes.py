# SPDX-License-Identifier: MIT
"""Processes as /proc has them, each known by pid and start time.

Whatever a test starts, however often it forked, inherits a variable that no other run
of the tests has; so a process is ours also where its parents are gone.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import time

from .waiting import eventually

MARK = "E2E_RUN_OF_SNAKEPIT"
MARK_VALUE = f"{os.getpid()}-{time.monotonic_ns()}"
DEAD = ("", "Z", "X")


@dataclasses.dataclass(frozen=True)
class Process:
    """One life of a process."""

    pid: int
    start: int  # in clock ticks since the machine started

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this number now, or None."""
        fields = stat_fields(pid)
        return cls(pid, int(fields[19])) if fields else None

    @property
    def state(self) -> str:
        """Its letter, "S" or so; "" if it is gone."""
        fields = stat_fields(self.pid)
        if not fields or int(fields[19]) != self.start:
            return ""
        return fields[0]

    @property
    def alive(self) -> bool:
        """A zombie is dead."""
        return self.state not in DEAD

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        text = pathlib.Path(f"/proc/{self.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def words(self) -> str:
        """Its command line, for messages."""
        try:
            data = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return "?"
        return data.replace(b"\0", b" ").decode("utf-8", "replace").strip()

    def kill(self, number: int) -> None:
        """Sends a signal unless it has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def stop(self) -> None:
        """Stops it, and returns once each of its threads stands.

        Only then does the kernel hold it for stopped, and wakes it when its host dies.
        """
        self.kill(signal.SIGSTOP)
        eventually(
            lambda: all(state in ("T", *DEAD) for state in self._states_of_threads()),
            f"process {self.pid} stops",
            60.0,
        )

    def _states_of_threads(self) -> list[str]:
        try:
            threads = os.listdir(f"/proc/{self.pid}/task")
        except OSError:
            return []
        found = (stat_fields(f"{self.pid}/task/{thread}") for thread in threads)
        return [fields[0] for fields in found if fields]


def stat_fields(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, parent, group, ..."""
    # Without pathlib, since a look at all processes calls this for each of them.
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            data = file.read(4096)
    except OSError:
        return []
    return data.rpartition(b")")[2].decode().split()


START = int(stat_fields(os.getpid())[19])  # of these tests, as Process.start


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def parents() -> dict[int, int]:
    """The parent of every process."""
    found = {}
    for pid in _pids():
        fields = stat_fields(pid)
        if fields:
            found[pid] = int(fields[1])
    return found


def children_of(pid: int) -> set[Process]:
    """The direct children of a process, zombies included."""
    pids = [child for child, parent in parents().items() if parent == pid]
    return {process for process in map(Process.of, pids) if process}


def marked() -> set[Process]:
    """Everything that these tests have started and that lives, themselves apart.

    Zombies count where they are our own children.
    """
    wanted = f"{MARK}={MARK_VALUE}".encode()
    found = set()
    for pid in _pids():
        fields = stat_fields(pid)
        if not fields or int(fields[19]) < START or pid == os.getpid():
            continue  # what is older than these tests was not started by them
        state, parent, process = (
            fields[0],
            int(fields[1]),
            Process(pid, int(fields[19])),
        )
        if parent == os.getpid() or (state not in DEAD and wanted in variables(pid)):
            found.add(process)
    return found


def variables(pid: int) -> list[bytes]:
    """The environment that a process was started with."""
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def alive_of(processes: set[Process]) -> set[Process]:
    """Those that live."""
    return {process for process in processes if process.alive}
