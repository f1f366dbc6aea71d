# SPDX-License-Identifier: MIT
"""The C extension: a worker's end of the shared memory. See python/native."""

from collections.abc import Callable, Iterator, Sequence
from contextvars import Context, ContextVar
from types import FunctionType
from typing import Any, NoReturn, final

class Cancelled(BaseException):
    """The host no longer wants the running call's answer.

    Derives from `BaseException`, so that a tool's ``except Exception`` lets it pass.
    """

class UnknownTool(LookupError):
    """No tool has the name that was called. Answers a call as UNKNOWN_TOOL."""

@final
class Tensor:
    """An array of numbers in shared memory, packed in C order.

    An argument is read-only and stays valid for as long as Python holds it or a view of
    it. What `empty` returned is writable until it has been returned as a result.
    ``numpy.asarray(tensor)`` and ``memoryview(tensor)`` copy nothing.

    It is a sequence of its parts along the first dimension, which share its memory, or
    of Python's numbers where it has one dimension. Integers and slices of step 1 need
    no NumPy; other keys and comparisons are NumPy's, and TypeError without it.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements in each dimension; ``()`` is one element."""
    @property
    def dtype(self) -> str:
        """NumPy's name of the element type, such as ``"float32"``."""
    @property
    def nbytes(self) -> int:
        """Size in bytes."""
    @property
    def ndim(self) -> int:
        """The number of dimensions."""
    def tobytes(self) -> bytes:
        """A copy of the data, packed in C order."""
    # Only Python 3.12 has the method, but for every version it says that a tensor
    # exports the buffer protocol.
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def tolist(self) -> Any:
        """The elements as Python's numbers, in nested lists."""
    def item(self) -> Any:
        """The element of a tensor that has one; ValueError of any other."""
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """NumPy's array of it; see `snakepit_bridge.arrays.array_of`."""
    def __getitem__(self, key: Any, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __contains__(self, value: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> Any: ...
    def __ne__(self, other: object, /) -> Any: ...
    def __lt__(self, other: Any, /) -> Any: ...
    def __le__(self, other: Any, /) -> Any: ...
    def __gt__(self, other: Any, /) -> Any: ...
    def __ge__(self, other: Any, /) -> Any: ...
    def __bool__(self) -> bool: ...
    def __float__(self) -> float: ...
    def __int__(self) -> int: ...
    __hash__ = None  # type: ignore[assignment]
    def __len__(self) -> int:
        """The extent of the first dimension. Raises TypeError if there is none."""
    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """A DLPack capsule of the same memory, which the capsule keeps.

        Raises BufferError for another device, a stream, or a read-only tensor that is
        asked for in a form older than DLPack 1.0 and without ``copy=True``.
        """
    def __dlpack_device__(self) -> tuple[int, int]:
        """``(1, 0)``: memory of the processor."""

@final
class Call:
    """The call that an executor runs now. Any thread may look at it."""

    @property
    def id(self) -> int:
        """The call's number, never used again by this host."""
    @property
    def session_id(self) -> str:
        """The session it belongs to; empty if none."""
    @property
    def tool(self) -> str:
        """The name it was called by."""
    @property
    def traceparent(self) -> str:
        """The trace and span that it belongs to, as W3C has it; empty if none."""
    @property
    def tracestate(self) -> str:
        """What comes with its trace; empty if nothing."""
    @property
    def deadline(self) -> float | None:
        """When the answer is due, in seconds of `time.monotonic`; None: never."""
    @property
    def remaining(self) -> float | None:
        """Seconds until the answer is due, at least 0.0; None: it never is."""
    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more: cancelled, out of time, or over."""
    def raise_if_cancelled(self) -> None:
        """Raises Cancelled where `cancelled` is true."""

class Counts:
    """One thread's counts of one adapter's calls. Only without a GIL, as `count_by` and
    `count_calls`.
    """

    total: int  # requests begun
    inside: bool  # of a plain function that is a request

def count_by(
    find: Callable[[Any], Counts | None],
    is_part: Callable[[Any], bool],
    lasting: Callable[[Any, Any], Any],
    running: ContextVar[Any],
    /,
) -> None:
    """`find(adapter)` gives the calling thread's counts of an adapter, None if nobody
    counts; `is_part(adapter)` says whether the request that `running` names has a part
    that is running now; `lasting(adapter, result)` counts a result that goes on.
    """

def count_anew() -> None:
    """Every thread looks its counts up again: a tracker is made."""

def count_calls(function: FunctionType, /) -> FunctionType:
    """Has the calls of a function counted from now on, by its first argument. Gives the
    function. After `count_by`.
    """

def attach() -> dict[str, Any]:
    """Maps the inherited descriptors, greets the host, returns the pool's
    configuration.

    Once per process. Raises OSError if the descriptors are not a host's.
    """

def attach_template() -> dict[str, Any]:
    """Greets the host as the template of a pool, returns the pool's configuration.

    Once per process. Raises OSError if no host sent one.
    """

def set_grace(ms: int, /) -> None:
    """How long what this process has started may take to end after SIGTERM, should the
    host die. Safe on any thread.
    """

def threads() -> int:
    """How many threads of any kind this process has; -1 if the kernel does not tell."""

def can_fork() -> bool:
    """Whether the kernel and the C library allow what `fork` does."""

def settle() -> None:
    """Takes, for good, what memory is free in scattered places, so that workers get
    theirs in one."""

def class_version(found: type, /) -> int:
    """A number that changes with the class and its bases; 0: not known."""

def is_as_foreseen(
    instance: object, kind: type, version: int, names: frozenset[str], /
) -> bool:
    """Whether the class is the instance's and has still this number, and the instance
    has for itself only what cannot be called and has none of the names.
    """

def either(
    hooks: tuple[Callable[[], object] | None, Callable[[], object] | None], /
) -> Callable[[], object]:
    """A hook for `os.register_at_fork`: in children it calls the first one, and in the
    workers that this template forks the second one.
    """

def fork() -> bool:
    """Waits for the host to ask for a worker, and makes it.

    True in the new worker, which may call `attach` then; False in the template, also
    when only a signal came. Does not return if the host closes the channel. Raises
    RuntimeError if other threads run, and whatever a signal handler raises.
    """

def exit(status: int) -> NoReturn:
    """Ends the process by C's `exit()`, and leaves the interpreter as it is."""

def set_reopened(descriptors: list[int]) -> None:
    """Has each fork open these files anew, at the same place."""

def address(buffer: object) -> int:
    """Where the memory of a buffer begins."""

def stage(text: str) -> None:
    """Notes what the start does now, for a host that finds it late. After `attach` or
    `attach_template`; a long text is cut.
    """

def unforkable(reason: str) -> None:
    """Tells the host why each worker must be a fresh interpreter."""

def register(
    name: str,
    function: Callable[..., object],
    max_batch: int = 0,
    batch_wait_us: int = 0,
    /,
) -> None:
    """Makes `function` callable as `name`, by keyword arguments. Before `ready`.

    With `max_batch` it takes so many calls at once: it is called with a list of their
    arguments, each a dict, and returns a list with a result for each. An exception in
    it is the result of a call that fails. A call waits so long for others.
    """

def foresee(name: str, function: Any, /) -> None:
    """Makes a function of a class callable by name, once `bind` has its instance. In a
    template, as most of what follows.
    """

def bind(instance: object, /) -> None:
    """Makes methods of the instance of what was foreseen."""

def forget() -> None:
    """Forgets what is callable by name."""

def set_fallback(function: Callable[[str, dict[str, Any]], object] | None) -> None:
    """`function(name, arguments)` answers for names that nobody registered."""

def set_formatter(
    function: Callable[[BaseException], tuple[str, str, str, int]],
) -> None:
    """`function(error)` gives type, message and traceback of what a tool raised, and
    the number of the error that the call ends with, 0 for any exception's.
    """

def set_refusal(function: Callable[[str, dict[str, Any]], BaseException]) -> None:
    """`function(tool, fault)` makes an exception of a fault of the host's: a map of
    err, code, message and type.
    """

def set_hinter(function: Callable[[str], str]) -> None:
    """`function(name)` gives what follows "the adapter has no tool ...", or nothing."""

def set_on_cancel(function: Callable[[int], object] | None) -> None:
    """`function(call)` is told the number of each call that is cancelled, on a thread
    of the extension. What it raises is printed.
    """

def set_context(context: Context, renewal: Callable[[], object] | None) -> None:
    """Each call runs in a copy of `context`, in which `renewal()` is called first.
    Before `run`.
    """

def set_explainer(
    function: Callable[[TypeError, str, tuple[str, ...] | None], object],
) -> None:
    """`function(error, tool, names)` looks at the TypeError of a tool, which was called
    with arguments of these names. What it raises is forgotten.
    """

def set_finisher(function: Callable[[Any], object]) -> None:
    """`function(awaitable)` runs what a function returned that can be awaited, and
    returns what it comes to.
    """

def set_tracer(module: str, function: Callable[[str, str], object]) -> None:
    """`function(traceparent, tracestate)` is called in the context of each call that
    belongs to a trace, before it is run, while `module` is among the loaded ones. What
    it raises is forgotten.
    """

def set_streams(opener: Callable[[Any], Iterator[Any]], chunk: type) -> None:
    """`opener(iterator)` makes an iterator of an asynchronous one; executors drive it.

    Instances of `chunk` say in `is_final` whether they are the last.
    """

def set_on_unserialisable(choice: str) -> None:
    """What becomes of values in a result that cannot be encoded: ``"error"``,
    ``"marker"`` or ``"marker_with_repr"``. Before `ready`.

    Raises ValueError for anything else.
    """

def set_tensors(choice: str, as_array: Callable[[Tensor], Any] | None) -> None:
    """As what tensors arrive: ``"view"``, ``"copy"``, ``"numpy"`` or ``"numpy_copy"``.

    `as_array` makes an array of a `Tensor`, without a copy; the first two need none.
    Before `ready`. Raises ValueError for any other choice.
    """

def ready(info: dict[str, Any]) -> None:
    """Tells the host that the worker can serve, and what it is."""

def failed(type: str, message: str, traceback: str) -> None:
    """Tells the host that the start failed; the process is expected to exit with status
    1.
    """

def run(index: int) -> None:
    """Runs executor `index` (from 0) on this thread until the worker is to leave.

    Raises what has interrupted a call.
    """

def leave_interrupts_to_host() -> None:
    """Does nothing at a SIGINT, which programs that are executed do not inherit."""

def stop_at(number: int, exception: type[BaseException], /) -> None:
    """Has signal `number`, which has a Python handler, be a request to leave as well:
    the host is told, and all executors leave `run`, each after the call that it runs. A
    call that ends by `exception` is not answered: it was interrupted. In a child that
    was forked the signal does what it does by default. Raises OSError if it has no
    handler.
    """

def leave_requests() -> int:
    """How often the worker was asked to leave, by the host's message and by signals."""

def interrupt() -> None:
    """Raises that exception in the calls that other threads run, once in each. Calls
    that are shielded are left out.
    """

def gil_returned() -> bool:
    """Tells the host that threads take turns from now on. False: not told yet."""

def lost_descriptors() -> None:
    """Ends the process, since user code has closed descriptors that it needs."""

def shield() -> None:
    """From here on nothing interrupts the call that this thread runs, if any."""

def runs_call() -> bool:
    """Whether this thread is an executor in the middle of a call."""

def current_call() -> Call | None:
    """The call that this thread runs, or None."""

def ask(name: str, arguments: dict[str, Any], traceparent: str = ..., /) -> Any:
    """What the host's tool `name` returns for `arguments`, which go by name.
    `traceparent` says which span of the call's trace asks.

    Waits for it; meanwhile the thread may run other calls. For the thread that runs
    the call. Raises Cancelled, what `set_refusal` makes of the host's fault or of the
    end of the call's time, RuntimeError where no call runs, and what cannot be encoded
    as for a result.
    """

def emit(event: list[Any]) -> None:
    """Hands an event to the host: name, call, session, correlation id, nanoseconds
    since 1970, measurements, metadata; in a trace its traceparent, and the parent of
    the span that it ends. Never waits; what finds no room is dropped, and
    what the host does not want is only checked.

    Raises what cannot be encoded as for a result, TypeError for arrays, ValueError for
    more than 16 KiB.
    """

def empty(shape: int | Sequence[int], dtype: str = "float32", /) -> Tensor:
    """A writable array in shared memory, its contents undefined.

    Raises ValueError for an unknown dtype or a negative extent, MemoryError if the
    pool's shared memory is used up.
    """

def array_maker(
    ndarray: type, dtype: type, as_array: Callable[[Tensor], Any]
) -> Callable[[int | Sequence[int], Any], Any]:
    """What makes an array of NumPy's, whose classes these are, of an `empty` one.

    `as_array` is for those that NumPy has no type for by itself.
    """
