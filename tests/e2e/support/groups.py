# SPDX-License-Identifier: MIT
"""Control groups, for tests that run as root."""

from __future__ import annotations

import os
import pathlib

from .waiting import eventually

ROOT = pathlib.Path("/sys/fs/cgroup")


class Group:
    """A control group with a limit: `values` are those of its files."""

    def __init__(self, controller: str, values: dict[str, str]) -> None:
        parent = ROOT / controller if is_version_one(controller) else ROOT
        self.path = parent / f"snakepit-e2e-{os.getpid()}"
        self.path.mkdir()
        try:
            for name, value in values.items():
                (self.path / name).write_text(value)
        except OSError:
            self.path.rmdir()
            raise

    def join(self) -> None:
        """Moves this process into it."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Once what was in it is gone."""

        def gone() -> bool:
            try:
                self.path.rmdir()
            except OSError:
                return False
            return True

        eventually(gone, "the control group is empty")


def is_version_one(controller: str) -> bool:
    """Whether the controller has a hierarchy of its own."""
    return (ROOT / controller).is_dir()
