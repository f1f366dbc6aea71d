# SPDX-License-Identifier: MIT
"""A daemon with the guinea pig of the commands, and the command that asks it."""

from __future__ import annotations

import pathlib

from .command import run, write_config
from .daemon import Daemon
from .served import Client
from .waiting import eventually

SERVE = "serve: {listen: ['127.0.0.1:0', 'unix:%s'], loops: 1}\n"


def config(folder: pathlib.Path) -> pathlib.Path:
    """One pool with the guinea pig of the commands, also for a daemon."""
    path = write_config(folder)
    path.write_text(path.read_text() + SERVE % (folder / "s"))
    return path


def start(path: pathlib.Path) -> Daemon:
    daemon = Daemon(path)
    try:
        eventually(Client(daemon).is_ready, "that it is ready", within=240)
    except BaseException:
        daemon.end()
        raise
    return daemon


def to(daemon: Daemon, *words: str, **options: object):
    """The command, through that daemon."""
    return run(*words, "--connect", daemon.urls()[0], **options)
