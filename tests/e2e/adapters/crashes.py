# SPDX-License-Identifier: MIT
"""Tools that end their worker by a signal, each in its way."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time

from snakepit_bridge import ThreadSafeAdapter, tool


def read_nothing():
    ctypes.string_at(8)


def spoil_a_frame():
    """A thread stands in code whose file name is not one: whoever dumps its frames
    fails there, as faulthandler does where the thread goes on meanwhile.
    """
    gate, never = threading.Event(), threading.Event()

    # One line, since whoever counts lines looks at the name as well.
    def stand():
        gate.set() or never.wait()

    threading.Thread(target=stand, daemon=True).start()
    gate.wait()
    code = stand.__code__
    words = (ctypes.c_void_p * (sys.getsizeof(code) // 8)).from_address(id(code))
    words[list(words).index(id(code.co_filename))] = 8


class Crashes(ThreadSafeAdapter):
    """`adapter_config` may say that `initialize` crashes."""

    __thread_safe__ = True

    def initialize(self):
        self.heard = 0
        if self.config.get("crashes"):
            read_nothing()

    @tool
    def ping(self):
        return "pong"

    @tool
    def fault(self):
        read_nothing()

    @tool
    def abort(self):
        ctypes.CDLL(None).abort()

    @tool
    def overflow(self, library):
        ctypes.CDLL(library).overflow(None)

    @tool
    def divide(self):
        signal.raise_signal(signal.SIGFPE)

    @tool
    def fault_elsewhere(self):
        """On a thread that the tool has started."""
        thread = threading.Thread(target=read_nothing)
        thread.start()
        thread.join()

    @tool
    def fault_without_python(self):
        """On a thread that has never run any Python."""
        libc = ctypes.CDLL(None)
        thread = ctypes.c_ulong()
        begin = ctypes.cast(8, ctypes.c_void_p)
        libc.pthread_create(ctypes.byref(thread), None, begin, None)
        time.sleep(60)

    @tool
    def all_at_once(self):
        """Many threads crash together."""
        gate = threading.Barrier(8)

        def crash():
            gate.wait()
            read_nothing()

        for _ in range(8):
            threading.Thread(target=crash).start()
        time.sleep(60)

    @tool
    def fault_in_a_child(self):
        """How a forked child ended that crashed."""
        child = os.fork()
        if child == 0:
            read_nothing()
        return os.WTERMSIG(os.waitpid(child, 0)[1])

    @tool
    def own_dump(self, path):
        """The adapter's own use of faulthandler, which is not enabled by anybody."""
        enabled = faulthandler.is_enabled()
        with open(path, "w") as file:
            # Without a GIL the other threads go on, and no one may walk their frames.
            faulthandler.register(signal.SIGUSR1, file=file, all_threads=False)
            signal.raise_signal(signal.SIGUSR1)
            faulthandler.unregister(signal.SIGUSR1)
        return enabled

    @tool
    def enable_and_fault(self):
        faulthandler.enable(all_threads=False)  # as above
        read_nothing()

    @tool
    def fault_where_dumps_fail(self):
        spoil_a_frame()
        faulthandler.enable()
        read_nothing()

    @tool
    def abort_where_dumps_fail(self):
        spoil_a_frame()
        faulthandler.enable()
        ctypes.CDLL(None).abort()

    @tool
    def close_all_and_fault(self, path):
        """What is closed may be another file by then."""
        os.closerange(8, 64)
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        for descriptor in range(8, 64):
            if descriptor != file:
                os.dup2(file, descriptor)
        read_nothing()


class Stack(ctypes.Structure):
    """stack_t."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


class Guarded(Crashes):
    """Looks at the stack on which its thread handles deadly signals."""

    __thread_safe__ = True

    @tool
    def below_its_stack(self):
        """How the memory below it may be used, as /proc/self/maps writes it."""
        stack = Stack()
        ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
        with open("/proc/self/maps") as maps:
            for area, allowed, *_rest in map(str.split, maps):
                begin, end = (int(bound, 16) for bound in area.split("-"))
                if begin < stack.base <= end:
                    return allowed
        return ""


class Survives(Crashes):
    """Loads a library that leaves its faults by siglongjmp()."""

    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self.library = ctypes.CDLL(os.environ["SURVIVES"])
        self.library.install()

    @tool
    def get_over(self, times, own_thread):
        """How many of so many faults it survives."""
        survived = []
        if own_thread:
            run = threading.Thread(
                target=lambda: survived.append(self.library.survive(times))
            )
            run.start()
            run.join()
        else:
            survived.append(self.library.survive(times))
        return survived[0]


class Survivor(Crashes):
    """Handles SIGABRT by itself, as some servers do."""

    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        signal.signal(signal.SIGABRT, self.hear)

    def hear(self, number, frame):
        self.heard += 1

    @tool
    def survive(self):
        os.kill(os.getpid(), signal.SIGABRT)
        while self.heard == 0:
            time.sleep(0.001)
        return self.heard

    @tool
    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
