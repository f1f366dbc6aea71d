# SPDX-License-Identifier: MIT
"""The adapter that most tests use: it misbehaves on request."""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import sys
import threading
import time

from guinea_tensors import Tensors
from snakepit_bridge import (
    Cancelled,
    ThreadSafeAdapter,
    current_call,
    thread_safe_method,
    tool,
)


class SoldOut(LookupError):
    """An exception of the adapter's own."""

    def __init__(self, item):
        super().__init__(f"no {item} left")


def mocks():
    """Imported late: it imports asyncio, which no worker is to have for nothing."""
    from unittest import mock

    return mock


class Trap:
    """Whoever unpickles it runs code; whoever pickles it is caught at it."""

    caught = 0

    def __reduce__(self):
        Trap.caught += 1
        return (os.system, ("touch /tmp/snakepit-was-here",))


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text for you")


class Speechless(Exception):
    """Whoever asks it for its words waits for ever."""

    def __init__(self, asked):
        super().__init__(asked)
        self.asked = asked

    def __str__(self):
        say(self.asked)
        while True:
            time.sleep(0.001)


def say(path):
    """Creates a file: what a test waits for."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))


class GuineaPig(Tensors, ThreadSafeAdapter):
    __thread_safe__ = True
    instances = 0

    def __init__(self):
        super().__init__()
        GuineaPig.instances += 1
        self.kept = []
        self.count = 0
        self.secret = lambda: "not a tool"

    # ---- Well-behaved

    @tool
    def ping(self):
        return "pong"

    @tool
    def echo(self, value=None):
        return value

    @tool
    def echo_all(self, **arguments):
        return arguments

    @tool
    def type_of(self, value):
        return type(value).__name__

    @tool
    def repr_of(self, value):
        return repr(value)

    @tool
    def pid(self):
        return os.getpid()

    @tool
    def size(self, text):
        return len(text)

    @tool
    def session(self):
        call = current_call()
        return [call.session_id, self.session_id, self.session_context.session_id]

    @tool
    def call_info(self):
        call = current_call()
        return {"id": call.id, "tool": call.tool, "deadline": call.deadline}

    @tool
    def numbers(self):
        """How many instances there are, and how often this was called."""
        with self.acquire_lock():
            self.count += 1
            return [GuineaPig.instances, self.count]

    @thread_safe_method
    def only_marked(self):
        return "marked"

    # ---- Not callable

    def undecorated(self):
        return "must not be reached"

    def _private(self):
        return "must not be reached"

    # ---- Surroundings

    @tool
    def environment(self, names):
        return {name: os.environ.get(name) for name in names}

    @tool
    def surroundings(self):
        """All that a replacement must have in common with its predecessor."""
        import resource

        limits = ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_AS", "RLIMIT_NPROC")
        return {
            "environment": dict(os.environ),
            "arguments": sys.argv[1:],
            "config": self.config,
            "python": sys.executable,
            "version": sys.version,
            "limits": {
                name: resource.getrlimit(getattr(resource, name)) for name in limits
            },
            "executors": sum(
                thread.name.startswith("snakepit-executor")
                for thread in threading.enumerate()
            ),
            "cwd": os.getcwd(),
            "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
            "cores": sorted(os.sched_getaffinity(0)),
            "nice": os.nice(0),
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        }

    @tool
    def has_module(self, name):
        return name in sys.modules

    # ---- Death and failure

    @tool
    def die(self, signal_number=signal.SIGKILL):
        os.kill(os.getpid(), signal_number)
        time.sleep(60)

    @tool
    def last_words(self, text):
        print(text, file=sys.stderr, flush=True)
        os._exit(3)

    @tool
    def leave(self, status=0):
        os._exit(status)

    @tool
    def fault(self):
        ctypes.string_at(8)

    @tool
    def fail(self, kind="ValueError", message="no"):
        if kind == "Unprintable":
            raise Unprintable
        if kind == "chained":
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise RuntimeError("outer") from error
        if kind == "recursion":
            # With each argument: in CPython 3.13.0 to 3.13.7 a recursion that leaves
            # one to its default never ends (python/cpython#132744).
            return self.fail(kind, message)
        classes = {
            "SystemExit": SystemExit,
            "SoldOut": SoldOut,
            "KeyboardInterrupt": KeyboardInterrupt,
            "GeneratorExit": GeneratorExit,
            "MemoryError": MemoryError,
            "StopIteration": StopIteration,
        }
        raise classes.get(kind, ValueError)(message)

    # ---- Slowness

    @tool
    def start_threads(self, path):
        """Starts one thread after the other until it is cancelled."""
        say(path)
        while True:
            # Not a Thread: a cancel that strikes while one is freed is dropped.
            over = _thread.allocate_lock()
            over.acquire()
            _thread.start_new_thread(over.release, ())
            over.acquire()

    @tool
    def sleep(self, seconds=60, path=None):
        if path:
            say(path)
        time.sleep(seconds)
        return seconds

    @tool
    def spin(self, seconds=60, path=None):
        """Busy, in bytecode."""
        if path:
            say(path)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
        return seconds

    @tool
    def hold_gil(self, seconds=60, path=None):
        """Stuck in C, never letting go of the GIL."""
        if path:
            say(path)
        ctypes.PyDLL(None).usleep(int(seconds * 1e6))
        return seconds

    @tool
    def spin_beside(self, unused, path=None, seconds=60):
        return self.spin(seconds, path)

    @tool
    def hold_gil_beside(self, unused, path=None, seconds=60):
        return self.hold_gil(seconds, path)

    @tool
    def wait_for(self, path, ready=None, value=None):
        """Blocks until somebody opens the FIFO `path` for writing."""
        if ready:
            say(ready)
        with open(path):
            return value

    @tool
    def stubborn(self, path=None):
        """Ignores that it was cancelled, again and again."""
        if path:
            say(path)
        while True:
            try:
                while True:
                    time.sleep(0.001)
            except Cancelled:
                pass

    @tool
    def stuck(self, way="C", path=None):
        """Never ends, whatever cancels it: in C, on a lock, or in a loop."""
        lock = threading.Lock()
        lock.acquire()
        ways = {
            "C": lambda: time.sleep(3600),
            "lock": lock.acquire,
            "loop": lambda: time.sleep(0.001),
        }
        while True:
            try:
                if path:
                    say(path)
                    path = None
                ways[way]()
            except Cancelled:
                pass

    @tool
    def speechless(self, asked, path=None, how="raise"):
        """Has an answer that cannot be put together: at once, or once it is cancelled
        if there is a `path`.
        """
        if path:
            call = current_call()
            say(path)
            try:
                while not call.cancelled:
                    time.sleep(0.001)
            except Cancelled:
                pass
        if how == "return":
            import guinea_kinds

            return guinea_kinds.Bottomless(asked, say)
        raise Speechless(asked)

    @tool
    def leave_thread_with_gil(self, ready):
        """Returns, and leaves a thread behind that never lets go of the GIL."""

        def hold():
            say(ready)
            ctypes.PyDLL(None).sleep(3600)

        threading.Timer(0.05, hold).start()

    @tool
    def block_signals(self):
        """On the thread that runs it, for good."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    @tool
    def until_cancelled(self, path=None):
        """Watches the token."""
        if path:
            say(path)
        try:
            while not current_call().cancelled:
                time.sleep(0.001)
        except Cancelled:
            pass
        return "saw it"

    # ---- Output

    @tool
    def say(self, text, stream="stdout"):
        print(text, file=getattr(sys, stream), flush=True)
        return len(text)

    @tool
    def noise(self, data, descriptor):
        os.write(descriptor, data)
        return len(data)

    # ---- Processes

    @tool
    def fork_and_return(self, way):
        """Forks a child that does not leave as it should; gives whose answer it is."""
        child = os.fork()
        if child != 0:
            _, status = os.waitpid(child, 0)
            return {"pid": os.getpid(), "status": os.waitstatus_to_exitcode(status)}
        if way == "exit":
            sys.exit(0)
        if way == "raise":
            raise ValueError("of the child")
        return "the child's"

    @tool
    def fork_in_stream(self, n):
        """Its child goes on where the generator does."""
        yield "first"
        if os.fork() == 0:
            return
        yield from range(n)

    @tool
    async def fork_in_coroutine(self):
        child = os.fork()
        if child == 0:
            return "the child's"
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    @tool
    def spawn(self, ways=("popen", "double_fork"), ignore_term=False):
        """Starts children in several ways and returns their pids."""
        import shlex
        import subprocess

        found = []
        for way in ways:
            words = ["sleep", "300"]
            if ignore_term:
                words = ["sh", "-c", "trap '' TERM; sleep 300; sleep 300"]
            if way == "popen":
                found.append(subprocess.Popen(words).pid)
            else:
                command = f"{shlex.join(words)} >/dev/null & echo $!"
                done = subprocess.run(
                    ["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True
                )
                found.append(int(done.stdout))
        return found

    # ---- Memory and values

    @tool
    def take(self, mebibytes):
        """Touches so much memory, then lets it go."""
        data = bytearray(mebibytes << 20)
        data[::4096] = b"x" * len(data[::4096])
        return len(data)

    @tool
    def grow(self, mebibytes, path=None):
        """Touches so much memory and keeps it; with `path`, blocks as wait_for does."""
        self.kept = bytearray(b"x") * (mebibytes << 20)
        return self.wait_for(path) if path else len(self.kept)

    @tool
    def big(self, length, kind="text"):
        return "x" * length if kind == "text" else b"x" * length

    @tool
    def odd(self, kind):
        """Values that cannot be encoded, or only just."""
        return getattr(self, f"_odd_{kind}")()

    def _odd_object(self):
        return object()

    def _odd_trap(self):
        return Trap()

    def _odd_kinds(self):
        """One of each kind that crosses as something simpler."""
        from guinea_kinds import one_of_each

        return one_of_each()

    def _odd_mixed(self):
        """Values that cross beside values that do not."""
        return {"a": [1, object(), Unprintable()], "b": 2**64, "c": "kept"}

    def _odd_cycle(self):
        made = []
        made.append(made)
        return made

    def _odd_cyclic_dict(self):
        made = {}
        made["self"] = made
        return made

    def _odd_deep(self):
        made = None
        for _ in range(100_000):
            made = [made]
        return made

    def _odd_nan(self):
        return [float("nan"), float("inf"), float("-inf")]

    def _odd_surrogate(self):
        return "\ud800"

    def _odd_complex(self):
        return 1j

    def _odd_huge_int(self):
        return 2**64

    def _odd_function(self):
        return lambda: None

    def _odd_nested_object(self):
        return {"rows": [1, {"cell": object()}]}

    def _odd_mock(self):
        """Answers every name: it has a next item without an end, plain and async."""
        return mocks().MagicMock()

    def _odd_async_mock(self):
        return mocks().AsyncMock()

    def _odd_mock_inside(self):
        return [mocks().MagicMock()]

    def _odd_mock_of_a_dict(self):
        return {"rows": [mocks().MagicMock(spec=dict)]}

    def _odd_mapping_that_lies(self):
        class Liar(dict):
            def items(self):
                return [1, 2, 3]

        return Liar(a=1)

    @tool
    def caught(self):
        return Trap.caught

    # ---- Hostility

    @tool
    def scribble(self, seed, rounds=2000):
        """Random bytes over the memory that it shares with the host."""
        import random

        chance = random.Random(seed)
        regions = []
        with open("/proc/self/maps") as maps:
            for line in maps:
                fields = line.split()
                if "/memfd:" in line and "w" in fields[1]:
                    low, high = (int(part, 16) for part in fields[0].split("-"))
                    regions.append((low, min(high - low, 1 << 20)))
        for _ in range(rounds):
            low, size = chance.choice(regions)
            length = chance.choice((1, 4, 8, 64, 512))
            at = low + chance.randrange(size - length)
            ctypes.memmove(at, chance.randbytes(length), length)
        return rounds

    @tool
    def shared_names(self):
        """What this process has mapped or open of named shared memory."""
        with open("/proc/self/maps") as maps:
            mapped = [line.strip() for line in maps if "/dev/shm/" in line]
        opened = [
            os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd")
            if os.path.islink(f"/proc/self/fd/{name}")
        ]
        return mapped + [name for name in opened if "/dev/shm/" in name]
