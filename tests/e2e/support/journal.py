# SPDX-License-Identifier: MIT
"""A journald of the distribution with a journal of its own, for a program in its mount
namespace: neither the machine's journal nor its kernel's log is touched.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from typing import Any

from .waiting import eventually

JOURNALD = "/lib/systemd/systemd-journald"

# The journal's folders are the namespace's own, and go with it.
BEGIN = f"""
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\n' >/run/journald.conf
mount --bind /run/journald.conf /etc/systemd/journald.conf
exec {JOURNALD}
"""


def why_none() -> str:
    """Why there cannot be one here; "" where there can."""
    missing = [
        program
        for program in (JOURNALD, "/etc/systemd/journald.conf")
        if not os.path.exists(program)
    ]
    missing += [
        name for name in ("journalctl", "nsenter") if shutil.which(name) is None
    ]
    if missing:
        return f"needs {missing[0]} of the packages systemd and util-linux"
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        return "needs to be root with a mount namespace of its own"
    return ""


class Journal:
    """One such journald, until it is closed."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", BEGIN],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.root = pathlib.Path(f"/proc/{self.popen.pid}/root")
        self.within = ("nsenter", f"--mount=/proc/{self.popen.pid}/ns/mnt")
        eventually(self.is_there, "that there is a journal")

    def is_there(self) -> bool:
        assert self.popen.poll() is None, self.popen.stderr.read()
        # Until the shell has become journald the folders may be those of the machine.
        name = pathlib.Path(f"/proc/{self.popen.pid}/comm").read_text()
        path = self.root / "run/systemd/journal/socket"
        return name.startswith("systemd-journal") and path.is_socket()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Those of that name, each with its fields as journalctl has them."""
        folder = self.root / "run/log/journal"
        words = ["-o", "json", "--all", "--no-pager", f"SNAKEPIT_EVENT={name}"]
        done = subprocess.run(
            ["journalctl", "--directory", str(folder), *words],
            capture_output=True,
            text=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        """Waits for one."""
        return eventually(lambda: self.events(name), name)[-1]

    def end(self) -> None:
        self.popen.terminate()
        self.popen.communicate(timeout=60)
