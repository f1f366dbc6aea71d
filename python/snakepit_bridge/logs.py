# SPDX-License-Identifier: MIT
"""How an adapter's `logging` and `warnings` reach the host's log at their own level.

They are lines on standard output and standard error, as an adapter has set them up, and
the host reads those. A line of a record begins with a mark that says its level, which
the host takes off (see src/process/output.h); lines without a mark are INFO. So nothing
of the adapter's own set-up is changed, no handler is added, and `logging.basicConfig`
means what it means elsewhere.
"""

from __future__ import annotations

import sys
import warnings

from . import late
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from typing import Any, TextIO
else:
    logging = late.Module("logging")

# As in the kernel's log: a byte that no text has, and a digit.
_MARK = "\x01"
_DEBUG, _INFO, _WARNING, _ERROR = range(4)


def install() -> None:
    """From here on records and warnings that go to standard output or standard error
    say their level. For processes of a host; twice is harmless.
    """
    late.when_imported("logging", _mark_records)
    if warnings.showwarning is not _show_warning:
        warnings.showwarning = _show_warning


def _mark_records(logging: Any) -> None:
    logging.StreamHandler.format = _format


def marked(text: str, level: int) -> str:
    """A text whose lines say their level."""
    mark = f"{_MARK}{level}"
    return mark + text.replace("\n", f"\n{mark}")


def _level_of(number: int) -> int:
    """What the host has for a level of `logging`."""
    if number >= logging.WARNING:
        return _ERROR if number >= logging.ERROR else _WARNING
    return _INFO if number >= logging.INFO else _DEBUG


def _is_the_hosts(stream: Any) -> bool:
    return stream is not None and (stream is sys.__stderr__ or stream is sys.__stdout__)


def _format(handler: Any, record: logging.LogRecord) -> str:
    text = logging.Handler.format(handler, record)
    if _is_the_hosts(getattr(handler, "stream", None)):
        return marked(text, _level_of(record.levelno))
    return text


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """As Python's own, with a level."""
    to = sys.stderr if file is None else file
    if to is not None:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        write_warning(text, to)


def write_warning(text: str, to: TextIO) -> None:
    """Writes the lines of a warning, with its level if they go to the host."""
    if _is_the_hosts(to):
        text = marked(text.rstrip("\n"), _WARNING) + "\n"
    try:
        to.write(text)
    except OSError:
        pass  # as Python does: a warning is not worth an error
