# SPDX-License-Identifier: MIT
"""Adapters whose start is what is tested. `adapter_config` says what they do."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, tool


class Constructor(BaseAdapter):
    def __init__(self):
        super().__init__()
        raise ValueError("the constructor says no")

    @tool
    def ping(self):
        return "pong"


class Initialize(BaseAdapter):
    def initialize(self):
        raise ValueError(self.config.get("words", "initialize says no"))

    @tool
    def ping(self):
        return "pong"


class Leaves(BaseAdapter):
    """Ends the process while it starts: by status, by signal, by sys.exit."""

    def initialize(self):
        for line in self.config.get("words", []):
            print(line, file=sys.stderr)
        print("these are my last words", file=sys.stderr, flush=True)
        if "signal" in self.config:
            os.kill(os.getpid(), self.config["signal"])
        if "exit" in self.config:
            sys.exit(self.config["exit"])
        os._exit(self.config["status"])

    @tool
    def ping(self):
        return "pong"


class Gated(ThreadSafeAdapter):
    """Initialised when somebody opens the FIFO `gate` for writing."""

    __thread_safe__ = True

    def initialize(self):
        if self.config.get("announce"):
            with open(self.config["announce"] + str(os.getpid()), "w"):
                pass
        with open(self.config["gate"]):
            pass

    @tool
    def ping(self):
        return "pong"


class Mute(ThreadSafeAdapter):
    """Its worker says that it is ready, and then takes no call."""

    __thread_safe__ = True

    def initialize(self):
        sys.modules["snakepit_bridge.worker"].Worker.serve = lambda _: (
            threading.Event().wait()
        )

    @tool
    def ping(self):
        return "pong"


class Hung(BaseAdapter):
    """Never ready; deaf to SIGTERM if told so."""

    def initialize(self):
        if self.config.get("deaf"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Event().wait()

    @tool
    def ping(self):
        return "pong"


class Slow(BaseAdapter):
    """Takes its time to start, as a large import does."""

    __thread_safe__ = True

    def initialize(self):
        time.sleep(self.config["seconds"])

    @tool
    def ping(self):
        return "pong"


class Lingers(BaseAdapter):
    """Does not leave when it is told to: `cleanup` waits for ever."""

    def initialize(self):
        def heard(_number, _frame):
            with open(self.config["heard"], "w"):
                pass

        if self.config.get("deaf"):
            signal.signal(signal.SIGTERM, heard)

    def cleanup(self):
        while True:
            threading.Event().wait(1)

    @tool
    def ping(self):
        return "pong"


class Tidy(ThreadSafeAdapter):
    """Writes down that it was cleaned up."""

    __thread_safe__ = True

    def cleanup(self):
        with open(self.config["cleaned"], "a") as file:
            file.write(f"{os.getpid()}\n")

    @tool
    def ping(self):
        return "pong"


class Depends(ThreadSafeAdapter):
    """Starts as long as there is not a file `down`, and not more often than `most`."""

    __thread_safe__ = True

    def initialize(self):
        if os.path.exists(self.config["down"]):
            raise ConnectionRefusedError("the data base is down")
        self.place = None
        for place in range(self.config.get("most", 0)):
            try:
                path = f"{self.config['down']}-{place}"
                os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            self.place = path
            self._wait_for_others()
            return
        if self.config.get("most"):
            open(self.config["down"] + "-refused", "w").close()
            raise RuntimeError("no licence is left")

    def _wait_for_others(self):
        """Where the test wants it, until another one could not start."""
        while self.config.get("last") and not os.path.exists(
            self.config["down"] + "-refused"
        ):
            time.sleep(0.001)

    def cleanup(self):
        if self.place:
            os.unlink(self.place)

    @tool
    def ping(self):
        return "pong"

    @tool
    def crash(self):
        os._exit(1)
