# SPDX-License-Identifier: MIT
"""Tools that say which trace they run in."""

from __future__ import annotations

import asyncio
import time

from snakepit_bridge import ThreadSafeAdapter, current_call, telemetry, tool


def here():
    call = current_call()
    return [call.traceparent, call.tracestate, telemetry.get_traceparent()]


class Traced(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    def where(self):
        return here()

    @tool
    async def where_awaited(self):
        await asyncio.sleep(0)
        return here()

    @tool
    def where_streamed(self):
        yield here()
        yield here()

    @tool(batch=4)
    def where_gathered(self, numbers):
        return [here() for _ in numbers]

    @tool
    def spans(self):
        """The traceparents around, within and after two spans."""
        seen = [telemetry.get_traceparent()]
        with telemetry.span("outer", {"kind": "test"}):
            seen.append(telemetry.get_traceparent())
            with telemetry.span("inner"):
                seen.append(telemetry.get_traceparent())
            seen.append(telemetry.get_traceparent())
        seen.append(telemetry.get_traceparent())
        return seen

    @tool
    def ask(self, tool, **arguments):
        """Asks the host from within a span, whose traceparent it gives as well."""
        with telemetry.span("asking"):
            within = telemetry.get_traceparent()
            got = self.session_context.call_host_tool(tool, **arguments)
        return [within, got]

    @tool
    async def ask_awaited(self, tool, **arguments):
        with telemetry.span("asking"):
            within = telemetry.get_traceparent()
            got = await self.session_context.call_host_tool_async(tool, **arguments)
        return [within, got]

    @tool
    def work(self, seconds, fails=False):
        """Works within a span."""
        with telemetry.span("work", {"seconds": seconds}):
            time.sleep(seconds)
            if fails:
                raise ValueError("not today")
