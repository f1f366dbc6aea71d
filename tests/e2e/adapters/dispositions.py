# SPDX-License-Identifier: MIT
"""What a tool's own processes make of signals, and how likely a victim they are."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading

from snakepit_bridge import ThreadSafeAdapter, tool

PYTHON = """
import signal
try:
    print("ready", flush=True)
    while True:  # a pause could begin just after the signal
        pass
except KeyboardInterrupt:
    raise SystemExit(9)
"""
SHELL = "trap 'exit 8' INT; echo ready; read forever; exit 7"


class Dispositions(ThreadSafeAdapter):
    @tool
    def interrupt_child(self, program: str) -> int:
        """How a child ends that gets SIGINT once it is there."""
        words = {
            "python": [sys.executable, "-c", PYTHON],
            "shell": ["sh", "-c", SHELL],
            "default": ["sh", "-c", "echo ready; exec cat"],
        }[program]
        child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        status = child.wait(60)
        child.stdin.close()
        child.stdout.close()
        return status

    @tool
    def interrupt_fork(self) -> int:
        """The same of a child that executes nothing, where Python sees signals."""
        if threading.current_thread() is not threading.main_thread():
            return 9
        gate, rope = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(rope, b"x")
                while True:  # a pause could begin just after the signal
                    pass
            except KeyboardInterrupt:
                os._exit(9)
            finally:
                os._exit(1)
        os.read(gate, 1)
        os.kill(pid, signal.SIGINT)
        os.close(gate)
        os.close(rope)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    @tool
    def interrupt_main(self) -> str:
        """What Python does by itself, without a signal."""
        if threading.current_thread() is not threading.main_thread():
            _thread.interrupt_main()
            return "KeyboardInterrupt"
        try:
            _thread.interrupt_main()
            for _ in range(1000):
                pass
        except KeyboardInterrupt:
            return "KeyboardInterrupt"
        return "nothing"

    @tool
    def ignored(self) -> list[int]:
        """The signals that a program would find ignored."""
        text = subprocess.run(
            ["cat", "/proc/self/status"], capture_output=True, text=True, check=True
        ).stdout
        (mask,) = (
            int(line.split()[1], 16)
            for line in text.splitlines()
            if line.startswith("SigIgn")
        )
        return [number for number in range(1, 65) if mask >> (number - 1) & 1]

    @tool
    def score(self) -> list[int]:
        """The oom_score_adj of this process, and of one that it starts."""
        with open("/proc/self/oom_score_adj") as file:
            own = int(file.read())
        words = ["cat", "/proc/self/oom_score_adj"]
        return [own, int(subprocess.check_output(words))]
