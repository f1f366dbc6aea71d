# SPDX-License-Identifier: MIT
"""One piece of a stream."""

from __future__ import annotations

from . import late
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import typing
    from dataclasses import dataclass
else:
    from .records import dataclass

    typing = late.Module("typing")


@dataclass
class StreamChunk:
    """What a streaming tool gives at a time; a map of the three for its reader.

    `data` is any value that a tool may return; `is_final` says that nothing follows it;
    `metadata` is for the reader, and as free as `data`.
    """

    data: typing.Any = None
    is_final: bool = False
    metadata: dict[str, typing.Any] | None = None
