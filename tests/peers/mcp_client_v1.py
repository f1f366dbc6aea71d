# SPDX-License-Identifier: MIT
"""The official Python client of MCP of the handshake's era asks a server, and prints
what it got as JSON.

    python mcp_client_v1.py URL
    python mcp_client_v1.py COMMAND ARGUMENT...
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any

from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client

from mcp import ClientSession, McpError, StdioServerParameters


def connect(command: str, *arguments: str) -> Any:
    if command.startswith("http"):
        return streamablehttp_client(command)
    env = {**os.environ}
    return stdio_client(
        StdioServerParameters(command=command, args=[*arguments], env=env)
    )


async def ask() -> dict[str, Any]:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with (
        connect(*sys.argv[1:]) as (reads, writes, *_),
        ClientSession(reads, writes) as session,
    ):
        begun = await session.initialize()
        await session.send_ping()
        listed = await session.list_tools()
        cancelled = ""
        try:  # which it gives up without a word; the worker has it until it ends
            await session.call_tool(
                "judged.wait", {"seconds": 1}, timedelta(milliseconds=200)
            )
        except McpError as error:
            cancelled = str(error)
        added = await session.call_tool("judged.add", {"a": 40, "b": 2})
        greeted = await session.call_tool("judged.greet", {"name": "snake"})
        failed = await session.call_tool("judged.add", {"c": 1})
        counted = await session.call_tool(
            "judged.count", {"n": 3}, progress_callback=hear
        )
        late = await session.call_tool("judged.add", {"a": 1})
        try:
            unknown = await session.call_tool("judged.nothing", {})
            unknown = unknown.content[0].text
        except McpError as error:
            unknown = str(error)
        return {
            "version": begun.protocolVersion,
            "tools": sorted(tool.name for tool in listed.tools),
            "added": added.structuredContent,
            "greeted": greeted.content[0].text,
            "failed": failed.isError,
            "counted": counted.structuredContent,
            "heard": heard,
            "late": late.structuredContent,
            "cancelled": cancelled,
            "unknown": unknown,
        }


print(json.dumps(asyncio.run(ask())))
