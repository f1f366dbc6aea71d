# SPDX-License-Identifier: MIT
"""Traces, as W3C Trace Context says them, and OpenTelemetry where an adapter has it.

A traceparent names a trace and a span of it: ``00-<32 digits>-<16 digits>-<flags>``.
Nothing here imports OpenTelemetry: where the adapter has not, there is nobody to tell.
"""

from __future__ import annotations

import os
import sys

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_TRACE = slice(3, 35)
_SPAN = slice(36, 52)
API = "opentelemetry.trace"


def child_of(parent: str) -> str:
    """The traceparent of a new span below `parent`."""
    return f"{parent[:36]}{os.urandom(8).hex()}{parent[52:]}"


def span_of(traceparent: str) -> str:
    """The 16 digits of its span."""
    return traceparent[_SPAN]


def begin(traceparent: str, tracestate: str) -> None:
    """Makes that span the active one of OpenTelemetry, for the call that begins.

    The runtime calls it in the call's own context, which ends with the call, and so
    does this; not where the module `API` is not loaded. Raises nothing.
    """
    enter(traceparent, tracestate)


def enter(traceparent: str, tracestate: str = "") -> Any:
    """Makes a span the active one, and returns what was active before, for `leave`.

    None where there is no OpenTelemetry. Raises nothing.
    """
    try:
        api = sys.modules[API]
        state = api.TraceState.from_header([tracestate]) if tracestate else None
        span = api.SpanContext(
            trace_id=int(traceparent[_TRACE], 16),
            span_id=int(traceparent[_SPAN], 16),
            is_remote=True,
            trace_flags=api.TraceFlags(int(traceparent[53:55], 16)),
            trace_state=state or api.get_current_span().get_span_context().trace_state,
        )
        contexts = sys.modules["opentelemetry.context"]
        before = contexts.get_current()
        contexts.attach(api.set_span_in_context(api.NonRecordingSpan(span)))
    except Exception:
        return None  # it is not there, not wholly there yet, or another one
    return before


def leave(before: Any) -> None:
    """Makes active what was so before `enter`. Raises nothing."""
    if before is not None:
        try:
            sys.modules["opentelemetry.context"].attach(before)
        except Exception:
            return


def active(within: str) -> str:
    """The traceparent of OpenTelemetry's active span, if it is of the same trace as
    `within`; else an empty text.
    """
    api = sys.modules.get(API)
    if api is None:
        return ""
    try:
        span = api.get_current_span().get_span_context()
        text = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    except Exception:
        return ""
    return text if text[_TRACE] == within[_TRACE] and span.is_valid else ""
