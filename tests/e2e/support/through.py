# SPDX-License-Identifier: MIT
"""A daemon in place of a pit of one's own: with E2E_THROUGH=local, tests that open
a pit use it through the local door, and are the same otherwise.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile
from typing import Any

from .answers import Refused
from .daemon import Daemon
from .waiting import eventually

INVALID_CONFIG = 2

ON = os.environ.get("E2E_THROUGH") == "local"


class Behind:
    """The daemon whose pools a pit uses."""

    def __init__(
        self, config: dict[str, Any], detail: str = "info", address: str | None = None
    ) -> None:
        """`detail` is the level of its log."""
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.address = address or f"unix:{self.folder}/local.sock"
        listen = [{"address": self.address, "door": "local"}]
        path = self.folder / "daemon.yaml"
        path.write_text(json.dumps({**config, "serve": {"listen": listen}}))
        self.daemon = Daemon(path, env={"SNAKEPIT_LOG": detail})

        def settled() -> bool:
            return self.daemon.popen.poll() is not None or "serving " in self.said()

        eventually(settled, "that it serves")
        if self.daemon.popen.poll() is not None:
            said = self.said()
            self.daemon.end()
            shutil.rmtree(self.folder)
            raise Refused(INVALID_CONFIG, said)

    def said(self) -> str:
        return self.daemon.said()

    def logged(self, event: str) -> list[str]:
        """Its lines of an event, as a pit of one's own hands them over."""
        return [line[line.index(f"{event} ") :] for line in self.daemon.lines(event)]

    def end(self) -> None:
        """It stops by itself, and leaves no worker."""
        try:
            assert self.daemon.stop() == 0, self.daemon.said()
        finally:
            self.daemon.end()
            shutil.rmtree(self.folder)
