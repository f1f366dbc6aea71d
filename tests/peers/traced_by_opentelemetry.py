# SPDX-License-Identifier: MIT
"""An adapter that uses OpenTelemetry, whose packages are where a variable says."""

from __future__ import annotations

import os
import sys

sys.path.append(os.environ["OPENTELEMETRY_PACKAGES"])

from opentelemetry import trace
from snakepit_bridge import ThreadSafeAdapter, telemetry, tool


def active():
    """The active span of OpenTelemetry, as a traceparent, and its tracestate."""
    span = trace.get_current_span().get_span_context()
    text = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    return [text if span.is_valid else "", span.trace_state.to_header()]


class Traced(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    def where(self):
        return [*active(), telemetry.get_traceparent()]

    @tool
    async def where_awaited(self):
        return [*active(), telemetry.get_traceparent()]

    @tool
    def spans(self):
        """Around, in a span of the bridge, in one of OpenTelemetry in it, and after."""
        seen = [active()[0]]
        with telemetry.span("ours"):
            seen += [active()[0], telemetry.get_traceparent()]
            inner = trace.NonRecordingSpan(
                trace.SpanContext(
                    trace.get_current_span().get_span_context().trace_id,
                    0x1234567812345678,
                    False,
                    trace.TraceFlags(1),
                )
            )
            with trace.use_span(inner):
                seen.append(telemetry.get_traceparent())
                with telemetry.span("below"):
                    seen.append(active()[0])
        seen.append(active()[0])
        return seen
