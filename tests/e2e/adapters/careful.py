# SPDX-License-Identifier: MIT
"""An adapter that does to its own process what tools should not."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading

from snakepit_bridge import ThreadSafeAdapter, tool

CHANNEL = 6


def shut_down(how: int):
    with socket.socket(fileno=os.dup(CHANNEL)) as channel:
        channel.shutdown(how)


if os.environ.get("CLOSE") == "import":
    os.closerange(3, 256)
if os.environ.get("CLOSE") == "shut_down":
    shut_down(int(os.environ["HOW"]))


class Attributes(ctypes.Structure):
    _fields_ = [("room", ctypes.c_char * 128)]


def stack_size() -> int:
    """Of the calling thread, in bytes."""
    library = ctypes.CDLL(None, use_errno=True)
    library.pthread_self.restype = ctypes.c_void_p
    attributes, size = Attributes(), ctypes.c_size_t()
    thread = ctypes.c_void_p(library.pthread_self())
    assert library.pthread_getattr_np(thread, ctypes.byref(attributes)) == 0
    library.pthread_attr_getstacksize(ctypes.byref(attributes), ctypes.byref(size))
    library.pthread_attr_destroy(ctypes.byref(attributes))
    return size.value


class Careful(ThreadSafeAdapter):
    @tool
    def close(self, first: int, last: int, stay: bool = False):
        os.closerange(first, last)
        if stay:
            threading.Event().wait()
        return os.getpid()

    @tool
    def shut_down(self, how: int, stay: bool = True):
        shut_down(how)
        if stay:
            threading.Event().wait()
        return os.getpid()

    @tool
    def send(self, kind: int, size: int, body: bytes):
        """A message on the channel that the bridge would not send."""
        with socket.socket(fileno=os.dup(CHANNEL)) as channel:
            channel.send(struct.pack("<II", kind, size) + body)
        return os.getpid()

    @tool
    def fork_and_exit(self, status: int):
        """The parent exits, so its child is what is left of the worker."""
        if os.fork():
            os._exit(status)
        os._exit(0)

    @tool
    def replace(self, number: int, path: str):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        return os.getpid()

    @tool
    def stack(self):
        return stack_size()

    @tool
    async def stack_of_loop(self):
        return stack_size()

    @tool
    def stack_of_others(self):
        found = []
        thread = threading.Thread(target=lambda: found.append(stack_size()))
        thread.start()
        thread.join()
        return found[0]

    @tool
    def pid(self):
        return os.getpid()

    @tool
    def _hidden(self):
        """Of which the bridge warns."""
