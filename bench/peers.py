# SPDX-License-Identifier: MIT
"""What people use today, measured beside the product: `multiprocessing.Pipe` and
`ProcessPoolExecutor(1)`, and for JSON `orjson` and `msgspec`.

snakepit-bench starts this on the interpreter that is compared. It says `ready VERSION`,
then answers each line `SIDE CASE SECONDS` with `ok FIGURE...` in the case's unit, or
with `error TEXT`, and leaves at the end of its input. Side is `pipe` or `processpool`,
for cases of JSON `orjson` or `msgspec`, whose figures are NaN where they are missing.
"""

from __future__ import annotations

import concurrent.futures
import functools
import importlib
import math
import multiprocessing
import os
import signal
import statistics
import sys
import sysconfig
import threading
import time

import json_values

IN_FLIGHT = 32
CALLERS = 32
STREAM_BATCH = 20_000
GIBIBYTE = 1 << 30
TENSOR_ELEMENTS = 16 << 20

held = None


# ---- What the other process runs -----------------------------------------------------


def noop(a):
    """What BenchAdapter.noop does."""
    return {"ok": True, "y": a["x"]}


def view(a):
    """What TensorAdapter.view does."""
    return {"last": float(a["t"][-1])}


def produce(a):
    """What TensorAdapter.produce does, in memory of its own."""
    import numpy as np

    out = np.empty(TENSOR_ELEMENTS, dtype=np.float32)
    out[-1] = a["x"]
    return out


def hold(a):
    """Keeps that many bytes resident."""
    global held
    held = bytearray(a["bytes"])
    return {"ok": True}


def chunks(a):
    """What BenchAdapter.chunks gives, `count` of them."""
    for i in range(a["count"]):
        yield {"i": i}


def rest(a):
    """Sleeps."""
    time.sleep(a["seconds"])
    return {"ok": True}


FUNCTIONS = {f.__name__: f for f in (noop, view, produce, chunks, hold, rest)}


def serve_pipe(connection):
    """The child of a pipe: one call after the other."""
    while True:
        name, argument = connection.recv()
        if name is None:
            return
        result = FUNCTIONS[name](argument)
        if name == "chunks":
            for chunk in result:
                connection.send(chunk)
        else:
            connection.send(result)


# ---- The two sides -------------------------------------------------------------------


class Pipe:
    """A child that reads calls from a duplex pipe."""

    def __init__(self):
        """Starts the child."""
        self.connection, theirs = multiprocessing.Pipe()
        self.lock = threading.Lock()
        self.child = multiprocessing.Process(
            target=serve_pipe, args=(theirs,), daemon=True
        )
        self.child.start()
        theirs.close()

    @property
    def pid(self):
        """The child's process id."""
        return self.child.pid

    def call(self, name, argument):
        """One call."""
        self.connection.send((name, argument))
        return self.connection.recv()

    def call_shared(self, name, argument):
        """One call of one of many threads."""
        with self.lock:
            return self.call(name, argument)

    def send(self, name, argument):
        """Begins a call; returns what `finish` wants."""
        self.connection.send((name, argument))

    def finish(self, _ticket):
        """The answer to the oldest call that was begun."""
        return self.connection.recv()

    def close(self):
        """Ends the child."""
        # A message, not the end of the pipe: whoever was forked since holds it open.
        try:
            self.connection.send((None, None))
        except OSError:
            pass
        self.child.join()
        self.connection.close()


class ProcessPool:
    """A ProcessPoolExecutor with one worker."""

    def __init__(self):
        """Starts the worker."""
        self.executor = concurrent.futures.ProcessPoolExecutor(1)
        self.pid = self.executor.submit(os.getpid).result()

    def call(self, name, argument):
        """One call."""
        return self.executor.submit(FUNCTIONS[name], argument).result()

    call_shared = call

    def send(self, name, argument):
        """Begins a call; returns what `finish` wants."""
        return self.executor.submit(FUNCTIONS[name], argument)

    def finish(self, ticket):
        """The answer to that call."""
        return ticket.result()

    def close(self):
        """Ends the worker."""
        self.executor.shutdown()


class Codec:
    """A library of JSON, imported when it is first needed: `read` and `write`."""

    def __init__(self, name):
        """Imports nothing yet."""
        self.name = name

    @functools.cached_property
    def functions(self):
        """From text and to text; None where the library is not installed."""
        try:
            if self.name == "orjson":
                orjson = importlib.import_module("orjson")
                return orjson.loads, orjson.dumps
            json = importlib.import_module("msgspec.json")
            return json.Decoder().decode, json.Encoder().encode
        except ImportError:
            return None

    def close(self):
        """Keeps nothing."""


# ---- Cases ---------------------------------------------------------------------------


def argument(x):
    """The argument of a no-op."""
    return {"x": x, "name": "snake", "n": 3}


def check(answer, x):
    """Raises unless the answer is the no-op's."""
    if answer["y"] != x or answer["ok"] is not True:
        raise AssertionError(f"{answer!r} is not an answer to {x}")


def quantile(values, part):
    """A quantile in microseconds of seconds."""
    values = sorted(values)
    return values[int((len(values) - 1) * part)] * 1e6


def closed_loop(side, seconds, gap=0.0, warm_up=200):
    """How long no-op calls take, one after the other, in seconds."""
    for x in range(warm_up):
        check(side.call("noop", argument(x)), x)
    taken = []
    x, end = 1_000_000, time.perf_counter() + seconds
    while time.perf_counter() < end:
        if gap:
            time.sleep(gap)
        start = time.perf_counter()
        answer = side.call("noop", argument(x))
        taken.append(time.perf_counter() - start)
        check(answer, x)
        x += 1
    return taken


def noop_warm(side, seconds):
    """p50 and p99 in microseconds."""
    taken = closed_loop(side, seconds)
    return quantile(taken, 0.5), quantile(taken, 0.99)


def noop_paced(side, seconds):
    """p50 of calls a millisecond apart, in microseconds."""
    return (quantile(closed_loop(side, seconds, gap=0.001, warm_up=20), 0.5),)


def inflight(side, seconds):
    """Calls per second of one thread with 32 calls in flight."""
    start = time.perf_counter()
    tickets = [(x, side.send("noop", argument(x))) for x in range(IN_FLIGHT)]
    count = IN_FLIGHT
    while time.perf_counter() - start < seconds:
        x, ticket = tickets[count % IN_FLIGHT]
        check(side.finish(ticket), x)
        tickets[count % IN_FLIGHT] = (count, side.send("noop", argument(count)))
        count += 1
    for offset in range(IN_FLIGHT):
        x, ticket = tickets[(count + offset) % IN_FLIGHT]
        check(side.finish(ticket), x)
    return (count / (time.perf_counter() - start),)


def callers(side, seconds):
    """Calls per second of 32 threads."""
    counts = [0] * CALLERS
    stop = threading.Event()

    def run(index):
        x = 0
        while not stop.is_set():
            check(side.call_shared("noop", argument(x)), x)
            x += 1
        counts[index] = x

    threads = [threading.Thread(target=run, args=(i,)) for i in range(CALLERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return (sum(counts) / (time.perf_counter() - start),)


def cpu_per_call(side, seconds):
    """Processor time of both processes per call, in microseconds."""
    # What Linux makes of a pid in clock_getcpuclockid().
    clock = (~side.pid << 3) | 2
    for x in range(200):
        check(side.call("noop", argument(x)), x)
    before = time.process_time() + time.clock_gettime(clock)
    count = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        check(side.call("noop", argument(count)), count)
        count += 1
    after = time.process_time() + time.clock_gettime(clock)
    return ((after - before) / count * 1e6,)


def stream_chunks(side, seconds):
    """Small messages per second in one direction; a ProcessPoolExecutor has none."""
    if not isinstance(side, Pipe):
        return (math.nan,)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        side.send("chunks", {"count": STREAM_BATCH})
        for i in range(STREAM_BATCH):
            if side.finish(None)["i"] != i:
                raise AssertionError(f"chunk {i} is another one")
        count += STREAM_BATCH
    return (count / (time.perf_counter() - start),)


def repeat(seconds, act):
    """The median time of `act`, at least three times, in seconds."""
    taken = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def tensor_view(side, seconds):
    """A call with 64 MiB, on top of a no-op, in microseconds."""
    import numpy as np

    tensor = np.arange(TENSOR_ELEMENTS, dtype=np.float32)
    last = float(tensor[-1])

    def act():
        if side.call("view", {"t": tensor})["last"] != last:
            raise AssertionError("a view of another tensor")

    noop_us = quantile(closed_loop(side, 0.1), 0.5)
    return (repeat(seconds, act) * 1e6 - noop_us,)


def tensor_result(side, seconds):
    """A call that returns 64 MiB, in milliseconds."""

    def act():
        if side.call("produce", {"x": 7})[-1] != 7:
            raise AssertionError("another tensor")

    return (repeat(seconds, act) * 1e3,)


def start_one(side, _seconds):
    """From nothing to the first answer, in milliseconds."""
    start = time.perf_counter()
    fresh = type(side)()
    check(fresh.call("noop", argument(1)), 1)
    taken = time.perf_counter() - start
    fresh.close()
    return (taken * 1e3,)


def death(side, _seconds):
    """From SIGKILL to the failure of the call that ran, in milliseconds."""
    fresh = type(side)()
    fresh.call("hold", {"bytes": GIBIBYTE})
    killed = []

    def kill():
        time.sleep(0.1)
        killed.append(time.perf_counter())
        os.kill(fresh.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        fresh.call("rest", {"seconds": 30})
    except (EOFError, OSError, concurrent.futures.BrokenExecutor):
        failed = time.perf_counter()
    else:
        raise AssertionError("a call outlived its process")
    killer.join()
    fresh.close()
    return ((failed - killed[0]) * 1e3,)


def json_read(shape, side, seconds):
    """Megabytes of JSON a second that become objects."""
    if side.functions is None:
        return (math.nan,)
    read, text = side.functions[0], json_values.text_of(shape).encode()
    return (len(text) / repeat(seconds, lambda: read(text)) / 1e6,)


def json_write(shape, side, seconds):
    """Megabytes of JSON a second that objects become."""
    if side.functions is None:
        return (math.nan,)
    write, value = side.functions[1], json_values.value_of(shape)
    return (len(write(value)) / repeat(seconds, lambda: write(value)) / 1e6,)


CASES = {
    **{f"json_read_{s}": functools.partial(json_read, s) for s in json_values.VALUES},
    **{f"json_write_{s}": functools.partial(json_write, s) for s in json_values.VALUES},
    "noop_warm": noop_warm,
    "noop_paced": noop_paced,
    "inflight": inflight,
    "callers": callers,
    "cpu_per_call": cpu_per_call,
    "stream_chunks": stream_chunks,
    "tensor_view": tensor_view,
    "tensor_result": tensor_result,
    "start_one": start_one,
    "death": death,
}


def version():
    """ "3.11", or "3.13t" for a free-threaded build."""
    free = sysconfig.get_config_var("Py_GIL_DISABLED")
    return f"{sys.version_info[0]}.{sys.version_info[1]}{'t' if free else ''}"


def main():
    """Answers lines until there are no more."""
    # The pipe's child first: forking is for processes without threads.
    sides = {"pipe": Pipe(), "processpool": ProcessPool()}
    sides.update({name: Codec(name) for name in ("orjson", "msgspec")})
    print("ready", version(), flush=True)
    for line in sys.stdin:
        side, case, seconds = line.split()
        try:
            figures = CASES[case](sides[side], float(seconds))
        except Exception as error:
            print("error", f"{type(error).__name__}: {error}", flush=True)
            continue
        print("ok", *(f"{figure:.6f}" for figure in figures), flush=True)
    for side in sides.values():
        side.close()


if __name__ == "__main__":
    main()
