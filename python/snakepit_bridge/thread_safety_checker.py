# SPDX-License-Identifier: MIT
"""`ThreadSafetyChecker` finds what goes wrong when an adapter's tools run on several
threads at once.

In a test::

    with ThreadSafetyChecker(strict_mode=True) as checker:
        adapter = MyAdapter()
        ...  # call it from several threads
    assert checker.get_report()["warnings"] == []

In a worker: ``thread_safety_checks: true`` in the pool's configuration, or
``--thread-safety-check`` among its `adapter_args`.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any, Callable, ClassVar, TextIO, TypeVar, cast

from . import libraries, notices
from .checking import following, locks, order, watch
from .checking.pitfalls import Pitfall, find_pitfalls, is_locked_throughout
from .checking.races import Race
from .checking.report import print_report
from .declaration import declared_thread_safe, undeclared_warning
from .tools import SAFE_MARK

__all__ = [
    "Pitfall",
    "ThreadSafetyChecker",
    "ThreadSafetyError",
    "check_common_pitfalls",
    "check_thread_safe",
    "check_thread_safety",
    "disable_thread_safety_checks",
    "enable_thread_safety_checks",
    "find_pitfalls",
    "get_global_checker",
    "print_thread_safety_report",
    "require_thread_safe_adapter",
    "validate_adapter_thread_safety",
]

Method = TypeVar("Method", bound=Callable[..., Any])

NAMES_MAX = 256  # threads that a report names
OTHERS = "(other threads)"

THREADS = "{threads}"  # stays in a text until it is told

SIGN = "\N{WARNING SIGN}\ufe0f  THREAD SAFETY: "
METHOD = (
    SIGN + "Method '{method}' accessed by {threads} different threads concurrently. "
    "{adapter}.{method} is accessed from multiple threads without explicit locking; "
    "protect what it shares, then mark it with @thread_safe_method."
)
ATTRIBUTE = (
    SIGN + "Attribute '{attribute}' of {adapter} is written from multiple threads "
    "without a common lock; it may be accessed by {threads} different threads "
    "concurrently: {second}, after {first}. Hold the lock at every write: "
    "with self.acquire_lock(): ..."
)

ADVICE = [  # kind of warning, what it counts, what to do
    (
        "race",
        "attribute",
        "attributes",
        "written without a common lock. "
        "Hold the adapter's lock: with self.acquire_lock(): ...",
    ),
    (
        "method",
        "method",
        "methods",
        "accessed concurrently. "
        "Ensure proper locking, then mark it with @thread_safe_method.",
    ),
    (
        "undeclared",
        "adapter",
        "adapters",
        "not declared. Add __thread_safe__ = True to the class once it is true.",
    ),
    (
        "library",
        "thread-unsafe library",
        "thread-unsafe libraries",
        "in use. See docs/library-compatibility.md for the safe pattern.",
    ),
]


class ThreadSafetyError(RuntimeError):
    """What strict mode raises, in the thread that did it."""


class _Finding:
    """What a warning says, and for how many threads so far."""

    def __init__(self, text: str, threads: int = 0) -> None:
        """`text` may have a place for the number: ``{threads}``."""
        self._text = text
        self.threads = threads

    def __str__(self) -> str:
        return self._text.replace(THREADS, str(self.threads))


class _Access:
    """An access that lasts as long as this object, or as its ``with`` block."""

    def __init__(self, checker: ThreadSafetyChecker, method: str) -> None:
        """Begins now, on this thread."""
        self._end = weakref.finalize(
            self, checker._leave, method, order.this_thread().number
        )
        self._end.atexit = False

    def __enter__(self) -> _Access:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


class ThreadSafetyChecker:
    """Watches adapters while it lives: until `close`, the end of its ``with`` block, or
    when nobody refers to it any more.

    It warns, once for each cause, with a RuntimeWarning:

    - of an attribute that two threads write without a common lock, whether or not they
      met this time;
    - of a method that runs on several threads at once and is not marked with
      `thread_safe_method`, unless all of it stands under a lock or a marked method
      called it;
    - of an adapter that does not declare itself thread-safe;
    - of a library that is known not to be, which its module imports, or which was
      loaded by the end of a method and not when the checker began.

    With `strict_mode` the first two raise ThreadSafetyError in the thread that did it.

    Safe on any number of threads.
    """

    # Reasons by library, as `check_library_safety` gives them.
    UNSAFE_LIBRARIES: ClassVar[dict[str, str]] = {
        library.name: library.pattern
        for library in libraries.known().values()
        if not library.thread_safe
    }

    def __init__(self, enabled: Any = True, strict_mode: bool = False) -> None:
        """Watches all adapters, or, given one instead of a bool, that one alone.

        Not enabled, it sees nothing and its report is empty. Raises TypeError for what
        is neither a bool nor an adapter's instance.
        """
        _check_enabled(enabled)
        adapter = None if isinstance(enabled, bool) else enabled
        self.enabled = enabled if isinstance(enabled, bool) else True
        self.strict_mode = strict_mode
        self._adapter = _reference(adapter) if adapter is not None else None
        self._started = time.monotonic()
        self._runtime: float | None = None
        # Guarded by watch.lock.
        self._findings: dict[tuple[Any, ...], _Finding] = {}  # by cause
        self._methods: dict[str, int] = {}  # the most threads at once
        self._threads: set[int] = set()
        self._calls: dict[str, int] = {}  # by thread name
        self._absent: list[libraries.Library] = []  # unsafe, and not loaded so far
        self._inside: dict[str, dict[int, int]] = {}  # by check_method_access
        self._close: Callable[[], Any] = list  # nothing to end
        if self.enabled:
            self._begin(adapter)

    def _begin(self, adapter: Any) -> None:
        observer = _Observer(weakref.ref(self))
        end = weakref.finalize(self, watch.end, observer)
        end.atexit = False
        self._close = end
        order.this_thread()
        self._absent = [
            library
            for library in libraries.known().values()
            if not library.thread_safe and library.name not in sys.modules
        ]
        watch.begin(observer)
        if adapter is not None:
            with watch.lock:
                watch.watch_class(type(adapter))
                watch.subject_of(adapter)

    def __enter__(self) -> ThreadSafetyChecker:
        """The checker itself, which has been watching since it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops watching; the report stays."""
        self.close()

    def close(self) -> None:
        """Stops watching. Its report can still be had."""
        if self._runtime is None:
            self._runtime = time.monotonic() - self._started
        self._close()

    # ---- What it is told -------------------------------------------------------------

    def check_method_access(self, method_name: str) -> Any:
        """Says that the calling thread now uses a method.

        The access lasts as long as the object that is returned, which is a context
        manager. Within a method of an adapter that is watched anyway, no more is needed
        than the call.
        """
        if not self.enabled or self._runtime is not None:
            return _Access(self, method_name)
        with watch.lock:
            self._note_thread()
            inside = self._inside.setdefault(method_name, {})
            number = order.this_thread().number
            inside[number] = inside.get(number, 0) + 1
            adapter = self._adapter() if self._adapter is not None else None
            threads = max(len(inside), watch.threads_inside(adapter, method_name))
            access = _Access(self, method_name)
            self._note_call(adapter, method_name, threads, False)
        return access

    def _leave(self, method: str, thread: int) -> None:
        with watch.lock:
            inside = self._inside.get(method, {})
            if inside.get(thread, 0) > 1:
                inside[thread] -= 1
            else:
                inside.pop(thread, None)

    def check_library_safety(self) -> list[str]:
        """Warns of every unsafe library in `sys.modules`; gives their names."""
        found = libraries.unsafe(list(sys.modules)) if self.enabled else []
        with watch.lock:
            for library in found:
                self._warn(("library", library.name), _Finding(library.warning))
        return [library.name for library in found]

    def watch(self, adapter_class: type) -> None:
        """Watches a class that is not derived from `BaseAdapter` too."""
        if self.enabled:
            with watch.lock:
                watch.watch_class(adapter_class)

    def note_undeclared(self, adapter_class: type) -> None:
        """Reports an undeclared class without a warning: somebody else has given it."""
        if declared_thread_safe(adapter_class) is not True:
            with watch.lock:
                key = ("undeclared", adapter_class)
                self._record(key, _Finding(undeclared_warning(adapter_class)))

    def _note_adapter(self, adapter: object) -> None:
        adapter_class = type(adapter)
        if declared_thread_safe(adapter_class) is not True:
            finding = _Finding(undeclared_warning(adapter_class))
            self._warn(("undeclared", adapter_class), finding)
        for library in libraries.unsafe(libraries.imported_by(adapter_class)):
            self._warn(("library", library.name), _Finding(library.warning))

    def _note_libraries(self) -> None:
        arrived = [library for library in self._absent if library.name in sys.modules]
        if arrived:
            self._absent = [other for other in self._absent if other not in arrived]
        for library in arrived:
            self._warn(("library", library.name), _Finding(library.warning))

    def _note_thread(self) -> None:
        thread = order.this_thread()
        self._threads.add(thread.number)
        known = thread.name in self._calls or len(self._calls) < NAMES_MAX
        name = thread.name if known else OTHERS
        self._calls[name] = self._calls.get(name, 0) + 1

    def _note_call(
        self, adapter: object, method: str, threads: int, inner: bool
    ) -> None:
        self._methods[method] = max(self._methods.get(method, 0), threads)
        if threads < 2 or inner or _may_overlap(adapter, method):
            return
        name = "adapter" if adapter is None else type(adapter).__name__
        text = METHOD.format(method=method, threads=THREADS, adapter=name)
        finding = _Finding(text, threads)
        self._warn(("method", type(adapter), method), finding, self.strict_mode)

    def _note_race(self, adapter: object, race: Race) -> None:
        text = ATTRIBUTE.format(
            attribute=race.attribute,
            adapter=type(adapter).__name__,
            threads=THREADS,
            first=race.first.place,
            second=race.second.place,
        )
        key = ("race", type(adapter), race.attribute)
        self._warn(key, _Finding(text, race.threads), self.strict_mode)

    def _warn(
        self, key: tuple[Any, ...], finding: _Finding, raises: bool = False
    ) -> None:
        is_new = self._record(key, finding)
        if raises:
            raise ThreadSafetyError(str(finding))
        if is_new:
            notices.warn(str(finding), stacklevel=2)

    def _record(self, key: tuple[Any, ...], finding: _Finding) -> bool:
        """Whether this is the first time; if not, only the number may grow."""
        known = self._findings.setdefault(key, finding)
        known.threads = max(known.threads, finding.threads)
        return known is finding

    # ---- What it tells ---------------------------------------------------------------

    def get_report(self) -> dict[str, Any]:
        """A new dict of all that was seen.

        `warnings`: the texts, each once, with the most threads that were seen until
        now, which a warning given at once could not know; `warnings_issued`: their
        number;
        `concurrent_accesses`: the most threads that were in a method at once, of those
        that had more than one; `total_methods_tracked`, `total_threads_seen`;
        `thread_utilization`: calls by thread name; `recommendations`: what to do;
        `enabled`, `strict_mode`; `total_runtime` in seconds.
        """
        with watch.lock:
            found = [str(finding) for finding in self._findings.values()]
            return {
                "enabled": self.enabled,
                "strict_mode": self.strict_mode,
                "total_runtime": self._runtime or time.monotonic() - self._started,
                "total_threads_seen": len(self._threads),
                "total_methods_tracked": len(self._methods),
                "concurrent_accesses": {
                    name: most for name, most in self._methods.items() if most > 1
                },
                "thread_utilization": dict(self._calls),
                "warnings": found,
                "warnings_issued": len(found),
                "recommendations": self._recommendations(),
            }

    def _recommendations(self) -> list[str]:
        kinds = [kind for kind, *_ in self._findings]
        found = [
            f"\N{WARNING SIGN}\ufe0f  {count} {noun if count == 1 else nouns} {advice}"
            for kind, noun, nouns, advice in ADVICE
            if (count := kinds.count(kind))
        ]
        return found or ["\N{WHITE HEAVY CHECK MARK} No thread safety issues detected."]


class _Observer:
    """A checker's ear. It does not keep the checker alive."""

    def __init__(self, checker: weakref.ref[ThreadSafetyChecker]) -> None:
        self._checker = checker

    def wants(self, adapter: object) -> bool:
        checker = self._checker()
        if checker is None:
            return False
        return checker._adapter is None or checker._adapter() is adapter

    def on_adapter(self, adapter: object) -> None:
        checker = self._checker()
        if checker is not None:
            checker._note_adapter(adapter)

    def on_call(self, adapter: object, entry: watch.Entry) -> None:
        checker = self._checker()
        if checker is not None:
            if not entry.resumed:
                checker._note_thread()
            checker._note_call(adapter, entry.method, entry.threads, entry.inner)

    def on_return(self) -> None:
        checker = self._checker()
        if checker is not None:
            checker._note_libraries()

    def on_race(self, adapter: object, race: Race) -> None:
        checker = self._checker()
        if checker is not None:
            checker._note_race(adapter, race)


def _check_enabled(enabled: Any) -> None:
    if isinstance(enabled, type):
        raise TypeError(
            f"ThreadSafetyChecker: enabled is the class {enabled.__name__}; give an "
            f"instance, ThreadSafetyChecker({enabled.__name__}()), or nothing, and all "
            "adapters are watched"
        )
    is_plain = type(enabled).__module__ == "builtins" and type(enabled) is not bool
    if is_plain:
        raise TypeError(
            f"ThreadSafetyChecker: enabled is {enabled!r}; it is True, False or an "
            "adapter's instance"
        )


def _reference(adapter: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(adapter)
    except TypeError:
        return lambda: adapter


def _may_overlap(adapter: object, method: str) -> bool:
    """Whether a method says that it may run on several threads, or cannot."""
    function = getattr(type(adapter), method, None)
    if function is None:
        return False
    return bool(getattr(function, SAFE_MARK, False)) or is_locked_throughout(
        function, locks.names_of(adapter)
    )


# ---- The checker of the process ------------------------------------------------------

_global_lock = threading.Lock()
_global_checker = ThreadSafetyChecker(enabled=False)


def get_global_checker() -> ThreadSafetyChecker:
    """The checker of this process; in a worker without checks it is not enabled."""
    return _global_checker


def enable_thread_safety_checks(strict_mode: bool = False) -> ThreadSafetyChecker:
    """Makes a new checker that of the process; the one before it is closed."""
    global _global_checker
    with _global_lock:
        _global_checker.close()
        _global_checker = ThreadSafetyChecker(True, strict_mode)
        return _global_checker


def disable_thread_safety_checks() -> None:
    """Closes the checker of the process, which is not enabled then. Its report can
    still be had.
    """
    with _global_lock:
        _global_checker.close()
        _global_checker.enabled = False


def print_thread_safety_report(
    checker: ThreadSafetyChecker | Mapping[str, Any] | None = None,
    file: TextIO | None = None,
) -> None:
    """Prints the report of a checker, of that of the process if none is given, or one
    that `get_report` gave, to `file` or standard output.
    """
    if checker is None:
        checker = get_global_checker()
    report = checker if isinstance(checker, Mapping) else checker.get_report()
    print_report(report, file)


# ---- Decorators and functions --------------------------------------------------------


def check_thread_safe(method: Method) -> Method:
    """Has the checker of the process look at the calls of a function or of a method
    that is not an adapter's; those of adapters it sees by itself.

    A generator or coroutine counts while a step of it runs.
    """

    def checked(*args: Any, **kwargs: Any) -> Any:
        checker = get_global_checker()
        if not checker.enabled:
            return method(*args, **kwargs)
        with checker.check_method_access(method.__name__):
            result = method(*args, **kwargs)
        return following.follow(
            method, result, lambda: checker.check_method_access(method.__name__)
        )

    return cast(Method, following.like(method, checked))


check_thread_safety = check_thread_safe


def require_thread_safe_adapter(decorated: Any) -> Any:
    """Makes a class refuse to be built, or a method to run, with RuntimeError unless
    the adapter declares ``__thread_safe__ = True``.
    """
    if isinstance(decorated, type):
        _require_of_class(decorated)
        return decorated

    @functools.wraps(decorated)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        _require(type(self))
        return decorated(self, *args, **kwargs)

    return guarded


def _require_of_class(adapter_class: type) -> None:
    build = adapter_class.__init__  # type: ignore[misc]

    @functools.wraps(build)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> None:
        _require(type(self))
        build(self, *args, **kwargs)

    adapter_class.__init__ = guarded  # type: ignore[misc]


def _require(adapter_class: type) -> None:
    if declared_thread_safe(adapter_class) is not True:
        raise RuntimeError(undeclared_warning(adapter_class))


def validate_adapter_thread_safety(adapter: object) -> dict[str, Any]:
    """What can be said of an adapter (class or instance) without running it.

    A dict of `adapter` (its name), `declared` (True, False or None for nothing),
    `valid` (declared True, its source read, and no pitfall found), `pitfalls`,
    `unread` (why the source could not be read, or None) and `libraries` (names of
    unsafe libraries that its module imports).
    """
    adapter_class = adapter if isinstance(adapter, type) else type(adapter)
    declared = declared_thread_safe(adapter_class)
    pitfalls: list[str] = []
    unread = None
    try:
        pitfalls = check_common_pitfalls(adapter_class)
    except ValueError as error:
        unread = str(error)
    return {
        "adapter": adapter_class.__name__,
        "declared": declared,
        "valid": declared is True and not pitfalls and unread is None,
        "pitfalls": pitfalls,
        "unread": unread,
        "libraries": [
            library.name
            for library in libraries.unsafe(libraries.imported_by(adapter_class))
        ],
    }


def check_common_pitfalls(adapter: object) -> list[str]:
    """The guides' five pitfalls, looked for in the source text of an adapter's class.

    One sentence for each place: 1, shared state changed without a lock; 2, a lock held
    during expensive work; 3, a thread-unsafe library; 4, no declaration; 5, locks that
    may wait for each other. Raises ValueError if the source cannot be had.
    """
    adapter_class = adapter if isinstance(adapter, type) else type(adapter)
    return [str(pitfall) for pitfall in find_pitfalls(adapter_class)]
