# SPDX-License-Identifier: MIT
"""The tools that MCP's own conformance suite calls."""

from __future__ import annotations

from collections.abc import Iterator

from snakepit_bridge import BaseAdapter, tool

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WAV = b"RIFF\x04\x00\x00\x00WAVE"


class Conforming(BaseAdapter):
    """Named as the suite wants them."""

    @tool
    def test_simple_text(self) -> str:
        """A text."""
        return "This is a simple text response for testing."

    @tool
    def test_image_content(self) -> bytes:
        """A picture."""
        return PNG

    @tool
    def test_audio_content(self) -> bytes:
        """A sound."""
        return WAV

    @tool
    def test_embedded_resource(self) -> bytes:
        """Bytes of no kind that is known."""
        return b"This is an embedded resource content."

    @tool
    def test_multiple_content_types(self):
        """Three things at once."""
        return ["Multiple content types test:", PNG, b'{"test": "data"}']

    @tool
    def test_error_handling(self) -> str:
        """Fails."""
        raise ValueError("This tool intentionally returns an error for testing")

    @tool
    def test_tool_with_progress(self) -> Iterator[int]:
        """Three items."""
        yield from (0, 50, 100)

    @tool
    def test_logging_tool(self) -> str:
        """Says nothing beside its result."""
        return "done"

    @tool
    def test_streaming_elicitation(self) -> str:
        """Asks its client for nothing."""
        return "done"
