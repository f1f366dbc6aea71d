# SPDX-License-Identifier: MIT
"""One piece of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class StreamChunk:
    """What a streaming tool gives at a time; a map of the three for its reader.

    `data` is any value that a tool may return; `is_final` says that nothing follows it;
    `metadata` is for the reader, and as free as `data`.
    """

    data: Any = None
    is_final: bool = False
    metadata: dict[str, Any] | None = None
