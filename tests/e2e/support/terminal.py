# SPDX-License-Identifier: MIT
"""A real terminal: a tmux server of the test's own, with one shell in it."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from .places import BUILD
from .processes import Process
from .waiting import eventually

PROMPT = "ready> "


class Terminal:
    """Keys go in, what is on the screen comes out."""

    def __init__(
        self, width: int = 80, height: int = 24, env: dict[str, str] | None = None
    ) -> None:
        self.tmux = shutil.which("tmux")
        if self.tmux is None:
            pytest.skip("needs tmux, which tools/bootstrap --dev installs")
        if "NCURSES_FOUND:INTERNAL=1" not in (BUILD / "CMakeCache.txt").read_text():
            pytest.skip("this build was made without ncurses")
        self.folder = tempfile.TemporaryDirectory()
        variables = {**(env or os.environ), "LC_ALL": "C.UTF-8"}
        variables.pop("TMUX", None)
        start = pathlib.Path(self.folder.name, "start")
        start.write_text(f"PS1='{PROMPT}'\n")
        self.do(
            *("new-session", "-d", "-x", str(width), "-y", str(height)),
            f"exec bash --noprofile --rcfile {start} -i",
            env=variables,
        )
        server = Process.of(int(self.ask("#{pid}")))
        assert server is not None
        self.server = server
        try:
            self.sees(PROMPT.strip())
        except AssertionError:
            self.end()
            raise

    def do(self, *words: str, env: dict[str, str] | None = None) -> str:
        """A command of tmux."""
        socket = str(pathlib.Path(self.folder.name, "s"))
        return subprocess.run(
            [self.tmux or "", "-u", "-f", "/dev/null", "-S", socket, *words],
            env=env,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def ask(self, what: str) -> str:
        """A variable of tmux."""
        return self.do("display-message", "-p", what).strip()

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: "Enter", "C-z", "Down", "a"."""
        self.do("send-keys", *keys)

    def type(self, text: str) -> None:
        self.do("send-keys", "-l", text)

    def lines(self, *options: str) -> list[str]:
        """What is on the screen, without blanks at the ends of lines."""
        text = self.do("capture-pane", "-p", *options)
        return [line.rstrip() for line in text.split("\n")[:-1]]

    def text(self) -> str:
        return "\n".join(self.lines())

    def sees(self, *texts: str, within: float = 60.0) -> str:
        """Waits until all of them are on the screen."""
        last = [""]

        def look() -> str:
            last[0] = self.text()
            return last[0] if all(text in last[0] for text in texts) else ""

        try:
            return eventually(look, within=within)
        except AssertionError:
            raise AssertionError(f"never saw all of {texts} in:\n{last[0]}") from None

    def misses(self, text: str) -> None:
        """Waits until it is on the screen no more."""
        eventually(lambda: text not in self.text(), f"{text!r} goes")

    def resize(self, width: int, height: int) -> None:
        self.do("resize-window", "-x", str(width), "-y", str(height))

    def run(self, command: str) -> None:
        self.type(command)
        self.press("Enter")

    def output(self, command: str) -> str:
        """What a command prints, which ends before its prompt."""
        self.press("C-l")
        path = pathlib.Path(self.folder.name, "out")
        path.unlink(missing_ok=True)
        self.run(f"{command} > {path}.new; mv {path}.new {path}")
        eventually(path.exists, f"{command} ends")
        return path.read_text()

    def modes(self) -> tuple[str, ...]:
        """What a program may leave behind in a terminal."""
        names = ("alternate_on", "cursor_flag", "insert_flag", "keypad_flag")
        return (
            self.output("stty -g").strip(),
            *(self.ask(f"#{{{name}}}") for name in names),
        )

    def end(self) -> None:
        self.do("kill-server")
        eventually(lambda: not self.server.alive, "tmux ends")
        self.folder.cleanup()
