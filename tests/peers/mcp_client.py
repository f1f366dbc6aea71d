# SPDX-License-Identifier: MIT
"""The official Python client of MCP asks a server, and prints what it got as JSON.

    python mcp_client.py MODE URL
    python mcp_client.py MODE COMMAND ARGUMENT...

MODE is `legacy` (a handshake), `auto`, or a revision without one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from mcp import Client, StdioServerParameters


async def ask(server: Any, mode: str) -> dict[str, Any]:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with Client(server, mode=mode) as client:
        listed = await client.list_tools()
        # What is answered late is answered before the next call, which waits for it.
        cancelled = ""
        try:
            call = client.call_tool("judged.wait", {"seconds": 60})
            await asyncio.wait_for(call, 0.2)
        except TimeoutError as error:
            cancelled = repr(error)
        added = await client.call_tool("judged.add", {"a": 40, "b": 2})
        greeted = await client.call_tool("judged.greet", {"name": "snake"})
        failed = await client.call_tool("judged.add", {"c": 1})
        counted = await client.call_tool(
            "judged.count", {"n": 3}, progress_callback=hear
        )
        late = asyncio.create_task(client.call_tool("judged.add", {"a": 1}))
        unknown = ""
        try:
            await client.call_tool("judged.nothing", {})
        except Exception as error:
            unknown = str(error)
        return {
            "version": client.protocol_version,
            "tools": sorted(tool.name for tool in listed.tools),
            "added": added.structured_content,
            "greeted": greeted.content[0].text,
            "failed": failed.is_error,
            "counted": counted.structured_content,
            "heard": heard,
            "late": (await late).structured_content,
            "cancelled": cancelled,
            "unknown": unknown,
        }


mode, command, *arguments = sys.argv[1:]
if not command.startswith("http"):
    command = StdioServerParameters(command=command, args=arguments, env={**os.environ})
print(json.dumps(asyncio.run(ask(command, mode))))
