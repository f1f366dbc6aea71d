# SPDX-License-Identifier: MIT
"""What a host is told about an exception: type, message, and where in whose code.

Nothing here may fail, whatever the exception does when it is looked at.
"""

from __future__ import annotations

import os

from . import late, lookup
from .errors import PASSED_ON, AdapterError, HostError, UnknownTool
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import inspect
    import traceback
    from collections.abc import Mapping, Sequence
    from typing import Any, Callable
else:
    inspect = late.Module("inspect")
    traceback = late.Module("traceback")

TRACEBACK_MAX = 60 * 1024  # bytes of UTF-8
MESSAGE_MAX = 8 * 1024  # bytes of UTF-8
TYPE_MAX = 512  # bytes of UTF-8
SIGNATURE_MAX = 512  # bytes of UTF-8

_SIGNATURE = "__snakepit_signature__"  # in the dictionary of a TypeError

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_EXAMPLES = os.path.join(_PACKAGE, "adapters") + os.sep

_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep

# Wrappers around a tool. Where they alone are left, the call did not fit the tool's
# signature.
_FORWARDERS = ("tracked", "guarded", "awaited", "once", "tool_once", "<lambda>")


def describe(error: BaseException) -> tuple[str, str, str]:
    """Type name, message and traceback of an exception, each a text of bounded size.

    The traceback has the exceptions that led to this one, and the frames of the
    adapter's code and its libraries, without those of the bridge. It is empty where
    the bridge itself says all in its message: of a name that is not a tool, and of an
    adapter that cannot be served.
    """
    message = _message(error)
    try:
        text = _traceback(error)
    except BaseException as reason:
        text = f"{type_name(error)}: {message}\n(no traceback: {type_name(reason)})\n"
    return (
        _cut(type_name(error), TYPE_MAX),
        _cut(message, MESSAGE_MAX),
        _cut(text, TRACEBACK_MAX),
    )


def describe_call(error: BaseException) -> tuple[str, str, str]:
    """`describe` for what a tool raised: says that the worker goes on where the
    exception meant to end it.
    """
    kind, message, text = describe(error)
    signature = lookup.own(error).get(_SIGNATURE)
    if signature is not None:  # the daemon's src/api/models.c knows it by these words
        message = f"{message}; its signature is {signature}"
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        what = f"{kind}: {message}" if message else kind
        message = _cut(f"{what} (raised by the tool; its worker goes on)", MESSAGE_MAX)
    return kind, message, text


def explain(
    tools: Mapping[str, Callable[..., Any]],
    error: TypeError,
    name: str,
    arguments: Sequence[str] | None,
) -> None:
    """Notes the signature of the tool `name` with a TypeError, if a call with these
    arguments does not fit it: it is told where the error is.
    """
    try:
        signature = inspect.signature(tools[name])
        if not _fits(signature, arguments or ()):
            text = f"{name}{_unquoted(signature)}"
            lookup.own(error)[_SIGNATURE] = _cut(text, SIGNATURE_MAX)
    except Exception:
        pass  # nothing more is known of it


def _fits(signature: inspect.Signature, arguments: Sequence[str]) -> bool:
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        return True  # it is of something below, for the tool is called by name
    try:
        signature.bind(**dict.fromkeys(arguments))
    except TypeError:
        return False
    return True


class _Text(str):
    """A text that is its own repr."""

    def __repr__(self) -> str:
        return str(self)


def _unquoted(signature: inspect.Signature) -> inspect.Signature:
    """With annotations as they are written, also where they are kept as texts."""

    def written(annotation: Any) -> Any:
        return _Text(annotation) if isinstance(annotation, str) else annotation

    return signature.replace(
        parameters=[
            parameter.replace(annotation=written(parameter.annotation))
            for parameter in signature.parameters.values()
        ],
        return_annotation=written(signature.return_annotation),
    )


def answer(error: BaseException) -> tuple[str, str, str, int]:
    """`describe_call` with the number of the error that the call ends with, or 0."""
    number = 0
    if isinstance(error, HostError) and error.code in PASSED_ON:
        number = error.number
    return (*describe_call(error), number)


def type_name(error: BaseException) -> str:
    """The exception's class as tracebacks name it: with its module if not builtins."""
    try:
        module = str(type(error).__module__)
        name = str(type(error).__qualname__)
    except BaseException:  # a metaclass may do anything
        return "exception"
    return name if module in ("builtins", "__main__", "") else f"{module}.{name}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as reason:
        return f"(the exception's __str__ raised {type_name(reason)})"


def _traceback(error: BaseException) -> str:
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    sentence_says_all = isinstance(error, (AdapterError, UnknownTool))
    _drop_own_frames(report, sentence_says_all)
    if sentence_says_all and not report.stack and not _is_chained(report):
        return ""  # it would be the message again, which is told anyway
    return "".join(report.format())


def _is_chained(report: traceback.TracebackException) -> bool:
    context = None if report.__suppress_context__ else report.__context__
    return report.__cause__ is not None or context is not None


def _drop_own_frames(
    report: traceback.TracebackException, sentence_says_all: bool
) -> None:
    """Cuts the bridge's frames out of an exception and all that are chained to it."""
    pending = [report]
    seen = set()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        frames = _worth_telling(current.stack, sentence_says_all)
        current.stack = traceback.StackSummary.from_list(frames)
        chained = [current.__cause__, current.__context__]
        chained += getattr(current, "exceptions", None) or []
        pending += [other for other in chained if other is not None]


def _worth_telling(
    frames: list[traceback.FrameSummary], sentence_says_all: bool
) -> list[traceback.FrameSummary]:
    """The frames that are not the bridge's; all of them if the bridge itself broke."""
    others = [frame for frame in frames if not _is_own(frame.filename)]
    broken = frames and not others and frames[-1].filename.startswith(_PACKAGE)
    if sentence_says_all or not broken:
        return others
    return [frame for frame in frames if frame.name not in _FORWARDERS]


def _is_own(filename: str) -> bool:
    """Whether a file is the bridge's (its example adapters apart) or the importer's."""
    if filename.startswith("<frozen importlib") or filename.endswith(
        "/importlib/__init__.py"
    ):
        return True
    return filename.startswith(_PACKAGE) and not filename.startswith(_EXAMPLES)


def is_of_foreign_code(error: BaseException) -> bool:
    """Whether code was involved that is neither the bridge's nor Python's."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, SyntaxError) or any(
        not _is_own(frame.filename)
        and not frame.filename.startswith("<frozen ")
        and (not frame.filename.startswith(_LIBRARY) or "-packages" in frame.filename)
        for frame in frames
    )


def _cut(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8: the middle goes, the end says most."""
    if len(text) > 4 * limit:
        # Encoding all of a huge message would only cost memory.
        text = text[:limit] + text[-limit:]
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode("utf-8")
    gap = f"\n[... {len(data) - limit} bytes left out ...]\n"
    room = limit - len(gap)
    head = data[: room // 3].decode("utf-8", "ignore")
    return head + gap + data[-(room - room // 3) :].decode("utf-8", "ignore")
