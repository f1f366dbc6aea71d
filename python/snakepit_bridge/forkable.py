# SPDX-License-Identifier: MIT
"""Whether the workers of an adapter can be forked from a process that has imported it.

A fork copies a process, but not what the process holds in the kernel: an open file's
place is then one for all workers, and a lock is nobody's in particular. A fork also
copies what was different in each process: the state of a generator of random numbers,
the name of a temporary folder. So whatever is not known to be harmless speaks against
forking. Workers are then started one by one, and nothing is wrong with them.
"""

from __future__ import annotations

import _random
import fcntl
import gc
import io
import os
import stat
import sys

from . import late, runtime
from .late import TYPE_CHECKING
from .objects import Objects

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Iterator
    from typing import Any
else:
    import _signal as signal  # without the enums of `signal`, which take long

FORKABLE_MARK = "__forkable__"

# Descriptors that are a worker's own in each worker: see SP_FD_ in src/ipc/layout.h.
OURS = range(1, 8)
# /dev/null, zero, full, random and urandom keep nothing for whoever has them open.
STATELESS_DEVICES = {os.makedev(1, minor) for minor in (3, 5, 7, 8, 9)}
CHANCE = {os.makedev(1, minor) for minor in (8, 9)}  # /dev/random and urandom
O_PATH = getattr(os, "O_PATH", 0o10000000)  # Python 3.9 has no name for it


class Forkability:
    """What speaks against forking after an import. Made before it.

    `reopened` has the descriptors that each worker must open anew, at the same place,
    to have a file of its own.
    """

    def __init__(self) -> None:
        """Remembers what the import must leave as it is."""
        self.numbers: Any = None  # the state of `random`, once that is imported
        late.when_imported("random", self.note_numbers)
        self.ours = {descriptor: identity_of(descriptor) for descriptor in OURS}
        self.reopened: list[int] = []

    def note_numbers(self, random: Any) -> None:
        """Remembers what the import must leave."""
        self.numbers = random.getstate()

    def reason_against(self, adapter_class: type) -> str:
        """Why workers of this adapter must be started one by one; empty if they need
        not.
        """
        try:
            return next(filter(None, self.reasons(adapter_class)), "")
        except Exception as error:
            return f"what its import left could not be looked at: {error!r}"

    def reasons(self, adapter_class: type) -> Iterator[str]:
        """Each look at what may speak against it, the cheap ones first."""
        if not getattr(adapter_class, FORKABLE_MARK, True):
            yield f"{adapter_class.__name__} sets {FORKABLE_MARK} = False"
        if not runtime.native.can_fork():
            yield "this kernel or C library does not allow it"
        yield reason_in_process()
        yield reason_in_timers()
        yield self.reason_in_random()
        yield reason_in_temporaries()
        mappings = list(read_mappings())
        yield reason_in_mappings(mappings)
        gc.unfreeze()
        objects = Objects()
        yield self.reason_in_descriptors(objects, mappings)
        yield reason_in_generators(objects)
        yield reason_in_buffers(objects)
        yield reason_in_numpy()

    def reason_in_random(self) -> str:
        """Each worker gets a seed of its own, so one that was set would be lost."""
        random = sys.modules.get("random")
        if random is None or random.getstate() == self.numbers:
            return ""
        return (
            "its import has seeded or used `random`; do so in initialize(), "
            "or with a generator that is made there"
        )

    def reason_in_descriptors(self, objects: Objects, mappings: list[Mapping]) -> str:
        """The first descriptor that workers can neither share nor open anew."""
        for descriptor, identity in self.ours.items():
            if identity_of(descriptor) != identity:
                return f"its import has closed or replaced descriptor {descriptor}"
        files: dict[tuple[int, int], int] = {}
        owned = files_of_python(objects) | files_of_mmap(objects, mappings)
        for descriptor in sorted(open_descriptors() - set(OURS)):
            if is_stateless(descriptor):
                continue
            problem = problem_with(descriptor, owned)
            if problem:
                return f"its import leaves {name_of(descriptor)} open{problem}"
            status = os.fstat(descriptor)
            other = files.setdefault((status.st_dev, status.st_ino), descriptor)
            if other != descriptor:
                return f"its import leaves {name_of(descriptor)} open more than once"
            self.reopened.append(descriptor)
        return ""


# ---- The process ---------------------------------------------------------------------


def reason_in_process() -> str:
    """What only one process can have, or only one thread could leave behind."""
    if os.getpgrp() != os.getpid():
        return "its import has left its process group"
    threads = runtime.native.threads()
    if threads != 1:
        return f"its import leaves {threads} threads running"
    if has_children():
        return "its import has started a process"
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        locked = [line.split()[1] for line in status if line.startswith("VmLck:")]
    if locked and locked[0] != "0":
        return "its import has locked memory (mlock), which a fork would not"
    return ""


def has_children() -> bool:
    """Whether a child of this process lives or waits to be reaped."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        os.waitid(os.P_ALL, 0, options)
    except ChildProcessError:
        return False
    return True


def reason_in_timers() -> str:
    """Timers that run here would not run in a fork."""
    kinds = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    running = any(signal.getitimer(kind) != (0.0, 0.0) for kind in kinds)
    try:
        with open("/proc/self/timers", "rb") as timers:
            running = running or bool(timers.read(1))
    except OSError:
        pass  # a kernel without checkpoints has no such file
    return "its import has set a timer; set it in initialize()" if running else ""


# ---- What should differ from worker to worker ----------------------------------------


def reason_in_temporaries() -> str:
    """A temporary name stands for a file or folder that all workers would share."""
    module = sys.modules.get("tempfile")
    if module is None or getattr(module, "_name_sequence", None) is None:
        return ""
    return (
        "its import has made a temporary file or folder, which the workers would "
        "share; make it in initialize()"
    )


def reason_in_generators(objects: Objects) -> str:
    """Generators of random numbers that all workers would find in one state."""
    random = sys.modules.get("random")
    systems = () if random is None else random.SystemRandom
    known = {id(getattr(random, "_inst", None)), *own_of_names(objects)}
    for found in objects.of(_random.Random):
        is_systems = issubclass(type(found), systems)
        if not is_systems and id(found) not in known:
            return reason_of_generator(found)
    numbers = sys.modules.get("numpy.random")
    if numbers is None:
        return ""
    known = {id(part) for part in numpys_own(numbers)}
    for kind in ("Generator", "RandomState", "BitGenerator", "SeedSequence"):
        for found in objects.of(getattr(numbers, kind)):
            if id(found) not in known:
                return reason_of_generator(found)
    return ""


def own_of_names(objects: Objects) -> Iterator[int]:
    """The ids of the generators that see for themselves that they were forked: those
    that make temporary names.
    """
    names = getattr(sys.modules.get("tempfile"), "_RandomNameSequence", None)
    for sequence in objects.of(names) if names is not None else []:
        yield id(getattr(sequence, "_rng", None))


def reason_of_generator(found: object) -> str:
    """Names its class."""
    kind = type(found)
    return (
        f"its import has made a generator of random numbers ({kind.__module__}."
        f"{kind.__qualname__}), whose numbers all workers would repeat; make it in "
        "initialize()"
    )


def numpys_own(numbers: Any) -> Iterator[object]:
    """The generator behind `numpy.random`'s functions, and its parts."""
    state = numbers.mtrand._rand
    yield state
    yield state._bit_generator
    yield seed_of(state._bit_generator)


def seed_of(bit_generator: Any) -> Any:
    """What it was seeded from; None where that was not the system."""
    seed = getattr(bit_generator, "seed_seq", None)
    return getattr(bit_generator, "_seed_seq", None) if seed is None else seed


def reason_in_numpy() -> str:
    """As for `random`. Its state is what its seed makes until somebody uses it."""
    numbers = sys.modules.get("numpy.random")
    if numbers is None:
        return ""
    used = numbers.mtrand._rand._bit_generator
    seed = seed_of(used)
    if seed is not None:
        fresh, state = type(used)(seed).state["state"], used.state["state"]
        equal = sys.modules["numpy"].array_equal
        if all(equal(fresh[part], state[part]) for part in fresh):
            return ""
    return (
        "its import has seeded or used `numpy.random`; do so in initialize(), "
        "or with a generator that is made there"
    )


def reason_in_buffers(objects: Objects) -> str:
    """Files that have read numbers of /dev/urandom ahead, which a fork would copy."""
    for kind in (io.BufferedReader, io.BufferedRandom):
        raw_of = kind.__dict__["raw"].__get__
        for file in objects.of(kind):
            descriptor = descriptor_of(raw_of(file))
            if descriptor >= 0 and os.fstat(descriptor).st_rdev in CHANCE:
                return (
                    f"its import leaves {name_of(descriptor)} open with a buffer, "
                    "whose numbers all workers would repeat; open it in initialize(), "
                    "or with buffering=0"
                )
    return ""


# ---- Shared memory -------------------------------------------------------------------


class Mapping:
    """A line of /proc/self/maps."""

    def __init__(self, line: str) -> None:
        """Raises ValueError if it is none."""
        # Addresses, mode, offset, device, inode, and a path that may have blanks.
        fields = line.split(None, 5)
        if len(fields) < 5 or len(fields[1]) != 4:
            raise ValueError(f"a line of /proc/self/maps that is none: {line!r}")
        start, _, end = fields[0].partition("-")
        self.addresses = range(int(start, 16), int(end, 16))
        self.mode = fields[1]
        self.path = "".join(fields[5:]).replace("\\012", "\n")


def read_mappings() -> Iterator[Mapping]:
    """The memory of this process."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            yield Mapping(line.rstrip("\n"))


def reason_in_mappings(mappings: Iterable[Mapping]) -> str:
    """Memory that workers would write to for each other, as multiprocessing's locks."""
    for mapping in mappings:
        if mapping.mode[1] == "w" and mapping.mode[3] == "s":
            return (
                f"its import has mapped {mapping.path or 'memory'} shared and "
                "writable; map it in initialize()"
            )
    return ""


# ---- Open descriptors ----------------------------------------------------------------


def open_descriptors() -> set[int]:
    """Numbers of the open descriptors, that of the look itself apart."""
    found = {int(name) for name in os.listdir("/proc/self/fd")}
    return {number for number in found if os.path.lexists(f"/proc/self/fd/{number}")}


def identity_of(descriptor: int) -> tuple[int, int, int] | None:
    """What the kernel calls the file; None if there is none."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_rdev


def is_stateless(descriptor: int) -> bool:
    """Whether nothing but the number belongs to it, so that it may well be shared."""
    status = os.fstat(descriptor)
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & O_PATH:
        return True
    return stat.S_ISCHR(status.st_mode) and status.st_rdev in STATELESS_DEVICES


def problem_with(descriptor: int, owned: set[int]) -> str:
    """Why a worker could not open the same once more; empty if it can."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return "; open it in initialize()"
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        return " for writing; open it in initialize()"
    if has_lock(descriptor):
        return " and locked; lock it in initialize()"
    if descriptor not in owned:
        return " outside of Python's file objects; open it in initialize()"
    if is_of_proc(descriptor):
        return ", which tells of one process; open it in initialize()"
    return problem_with_reopening(descriptor)


def problem_with_reopening(descriptor: int) -> str:
    """Why the kernel would not open the file again; empty if it would."""
    try:
        os.close(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return f", and it cannot be opened again: {error.strerror}"
    return ""


def has_lock(descriptor: int) -> bool:
    """Whether this process holds a lock of the file: by flock, lockf or a lease."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
        return any(line.startswith("lock:") for line in lines)


def is_of_proc(descriptor: int) -> bool:
    """Whether it is a file of /proc or /sys, which are made up as they are opened."""
    devices = {
        os.stat(root).st_dev for root in ("/proc", "/sys") if os.path.isdir(root)
    }
    return os.fstat(descriptor).st_dev in devices


def files_of_python(objects: Objects) -> set[int]:
    """The descriptors that are below a file object, of whatever kind."""
    return {descriptor_of(file) for file in objects.of(io.FileIO)}


def descriptor_of(file: object) -> int:
    """The descriptor of a file object without a buffer; -1 if it has none."""
    if not isinstance(file, io.FileIO):
        return -1
    try:
        return io.FileIO.fileno(file)
    except ValueError:
        return -1  # it is closed


def files_of_mmap(objects: Objects, mappings: Iterable[Mapping]) -> set[int]:
    """The descriptors that mmap objects keep, as those of numpy.memmap do."""
    starts = []
    mmap = sys.modules.get("mmap")
    for mapped in objects.of(mmap.mmap) if mmap is not None else []:
        try:
            starts.append(runtime.native.address(mapped))
        except ValueError:
            pass  # it is closed
    if not starts:
        return set()
    paths = {
        mapping.path
        for mapping in mappings
        if any(start in mapping.addresses for start in starts)
    }
    return {number for number in open_descriptors() if name_of(number) in paths}


def name_of(descriptor: int) -> str:
    """What the kernel calls it: a path, ``socket:[1234]`` and so on."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return f"descriptor {descriptor}"
