# SPDX-License-Identifier: MIT
"""libsnakepit through ctypes: its structs and prototypes, nothing else."""

from __future__ import annotations

import ctypes
import re
import threading
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    Union,
    c_bool,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable

from .places import LIBRARY, ROOT

RANK = 8

# The error table, from the header that is its only place.
ERRORS = {
    int(number): name
    for name, number in re.findall(
        r"X\((\w+),\s*(\d+),", (ROOT / "include/snakepit/errors.h").read_text()
    )
}


class Message(Structure):
    _fields_ = [("text", ctypes.c_char * 1024)]


class Tensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("dtype", c_int),
        ("rank", c_uint32),
        ("shape", c_int64 * RANK),
        ("strides", c_int64 * RANK),
    ]


class Span(Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class ValueOf(Union):
    _fields_ = [
        ("boolean", c_bool),
        ("integer", c_int64),
        ("unsigned_integer", c_uint64),
        ("real", c_double),
        ("text", Span),
        ("bytes", Span),
        ("count", c_uint32),
        ("tensor", Tensor),
    ]


class Value(Structure):
    _fields_ = [("kind", c_int), ("as_", ValueOf)]


class Reader(Structure):
    _fields_ = [
        ("at", POINTER(c_uint8)),
        ("end", POINTER(c_uint8)),
        ("tensors", POINTER(c_uint8)),
        ("tensors_size", c_uint64),
    ]


LogFunction = CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_char_p)
EndedFunction = CFUNCTYPE(None, c_void_p, c_char_p, c_int)
DoneFunction = CFUNCTYPE(None, c_void_p, c_int, c_void_p)
ReadyFunction = CFUNCTYPE(None, c_void_p, c_void_p)
ChunkFunction = CFUNCTYPE(c_bool, c_void_p, POINTER(Reader))


class Event(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("pool", c_char_p),
        ("session_id", c_char_p),
        ("correlation_id", c_char_p),
        ("call", c_uint64),
        ("worker", c_uint64),
        ("time_ns", c_uint64),
        ("dropped", c_uint64),
        ("measurements", Reader),
        ("metadata", Reader),
    ]


EventFunction = CFUNCTYPE(None, c_void_p, POINTER(Event))


class FieldValue(Union):
    _fields_ = [
        ("text", c_char_p),
        ("unsigned_integer", c_uint64),
        ("integer", c_int64),
        ("real", c_double),
        ("boolean", c_bool),
    ]


class Field(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("unit", c_char_p),
        ("kind", c_int),
        ("value", FieldValue),
    ]


class Notice(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("pool", c_char_p),
        ("level", c_int),
        ("time_ns", c_uint64),
        ("fields", POINTER(Field)),
        ("field_count", c_size_t),
    ]


NoticeFunction = CFUNCTYPE(None, c_void_p, POINTER(Notice))


class Attribute(Structure):
    _fields_ = [
        ("key", c_char_p),
        ("kind", c_int),
        ("text", c_char_p),
        ("integer", c_int64),
        ("real", c_double),
    ]


class TraceSpan(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("trace_id", c_uint8 * 16),
        ("span_id", c_uint8 * 8),
        ("parent_span_id", c_uint8 * 8),
        ("name", c_char_p),
        ("kind", c_int),
        ("start_ns", c_uint64),
        ("end_ns", c_uint64),
        ("err", c_int),
        ("message", c_char_p),
        ("tracestate", c_char_p),
        ("attributes", POINTER(Attribute)),
        ("attribute_count", c_size_t),
    ]


SpansFunction = CFUNCTYPE(
    None, c_void_p, POINTER(POINTER(TraceSpan)), c_size_t, c_uint64
)


class OpenOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("log", LogFunction),
        ("log_user", c_void_p),
        ("log_level", c_int),
        ("session_ended", EndedFunction),
        ("session_user", c_void_p),
        ("event", EventFunction),
        ("event_user", c_void_p),
        ("notice", NoticeFunction),
        ("notice_user", c_void_p),
        ("notice_level", c_int),
        ("spans", SpansFunction),
        ("spans_user", c_void_p),
    ]


class ConnectOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("open", POINTER(OpenOptions)),
        ("timeout_ms", c_uint32),
        ("reconnect", c_bool),
        ("shared_memory", c_uint64),
    ]


class TraceContext(Structure):
    _fields_ = [
        ("trace_id", c_uint8 * 16),
        ("span_id", c_uint8 * 8),
        ("flags", c_uint8),
    ]


class CallOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("pool", c_char_p),
        ("timeout_ms", c_uint32),
        ("session_id", c_char_p),
        ("why", POINTER(Message)),
        ("queue", c_void_p),
        ("ready", ReadyFunction),
        ("ready_user", c_void_p),
        ("idempotent", c_bool),
        ("priority", c_uint32),
        ("begun_ns", c_uint64),
        ("traceparent", c_char_p),
        ("tracestate", c_char_p),
        ("trace", POINTER(TraceContext)),
    ]


class ReloadOptions(Structure):
    _fields_ = [("size", c_size_t), ("grace_ms", c_uint32)]


class PutOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("ttl_ms", c_uint32),
        ("why", POINTER(Message)),
    ]


class ToolInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("session_id", c_char_p),
        ("pool", c_char_p),
        ("call", c_uint64),
        ("worker", c_uint64),
        ("remaining_ms", c_uint32),
        ("traceparent", c_char_p),
        ("tracestate", c_char_p),
    ]


ToolFunction = CFUNCTYPE(
    c_int, c_void_p, POINTER(ToolInfo), POINTER(Reader), c_void_p, POINTER(Message)
)


class ToolOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("session_id", c_char_p),
        ("description", c_char_p),
        ("why", POINTER(Message)),
    ]


class Fault(Structure):
    _fields_ = [
        ("err", c_int),
        ("message", c_char_p),
        ("type", c_char_p),
        ("traceback", c_char_p),
        ("stage", c_char_p),
        ("cause", c_char_p),
        ("last_output", c_char_p),
        ("worker", c_uint64),
        ("arguments", c_char_p),
        ("stop", c_int),
        ("tool_runs", c_bool),
        ("late_ms", c_uint32),
        ("crash_stack", c_char_p),
        ("late_stack", c_char_p),
    ]


class StopInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("stop", c_int),
        ("tool_runs", c_bool),
        ("after_us", c_uint64),
    ]


class PoolStats(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("profile", c_char_p),
        ("state", c_char_p),
        ("workers", c_uint32),
        ("workers_ready", c_uint32),
        ("threads_per_worker", c_uint32),
        ("capacity", c_uint32),
        ("running", c_uint32),
        ("waiting", c_uint32),
        ("calls", c_uint64),
        ("failures", c_uint64),
        ("saturated", c_uint64),
        ("timeouts", c_uint64),
        ("cancelled", c_uint64),
        ("worker_starts", c_uint64),
        ("worker_deaths", c_uint64),
        ("violations", c_uint64),
        ("shared_bytes", c_uint64),
        ("worker_recycles", c_uint64),
        ("worker_isolations", c_uint64),
        ("stopped_in_line", c_uint64),
        ("stopped_unstarted", c_uint64),
        ("stopped_cooperatively", c_uint64),
        ("stopped_by_exception", c_uint64),
        ("stopped_by_kill", c_uint64),
        ("stopping", c_uint64),
        ("stop_total_us", c_uint64),
        ("stop_max_us", c_uint64),
        ("retries", c_uint64),
        ("retries_refused", c_uint64),
        ("breaker_refused", c_uint64),
        ("breakers_open", c_uint64),
        ("health_check_failures", c_uint64),
        ("workers_outdated", c_uint64),
        ("profile_switches", c_uint64),
        ("profile_switches_undone", c_uint64),
        ("worker_start_failures", c_uint64),
        ("processes", c_uint32),
        ("available_capacity", c_uint32),
        ("memory_per_process", c_uint64),
        ("total_memory", c_uint64),
    ]


class BreakerInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("tool", c_char * 256),
        ("state", c_char_p),
        ("failures", c_uint32),
        ("retry_after_ms", c_uint32),
    ]


class WorkerInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("id", c_uint64),
        ("pid", c_int32),
        ("state", c_char_p),
        ("load", c_uint32),
        ("capacity", c_uint32),
        ("device", c_char_p),
        ("stuck", c_uint32),
        ("isolated", c_bool),
        ("health", c_char_p),
        ("age_ms", c_uint64),
        ("calls", c_uint64),
        ("rss_bytes", c_uint64),
        ("pss_bytes", c_uint64),
        ("threads", c_uint32),
        ("python", c_char_p),
    ]


class ExecutorInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("worker", c_uint64),
        ("executor", c_uint32),
        ("state", c_char_p),
        ("call", c_uint64),
        ("running_us", c_uint64),
        ("since_ms", c_uint64),
        ("tool", c_char * 256),
    ]


class Health(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("status", c_char_p),
        ("checks", c_uint64),
        ("failures", c_uint64),
        ("checked_ms", c_uint64),
        ("consecutive_failures", c_uint32),
        ("message", c_char * 256),
    ]


class Frame(Structure):
    _fields_ = [("function", c_char_p), ("file", c_char_p), ("line", c_uint32)]


class Stack(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("executor", c_int32),
        ("thread", c_int32),
        ("state", c_char_p),
        ("call", c_uint64),
        ("tool", c_char_p),
        ("running_us", c_uint64),
        ("stuck", c_bool),
        ("moved", c_bool),
        ("cut", c_bool),
        ("lost", c_bool),
        ("count", c_size_t),
        ("frames", POINTER(Frame)),
    ]


StackFunction = CFUNCTYPE(None, c_void_p, POINTER(Stack))


PROTOTYPES = {
    "err_name": (c_char_p, [c_int]),
    "err_text": (c_char_p, [c_int]),
    "err_retryable": (c_bool, [c_int]),
    "version": (c_char_p, []),
    "open_file": (
        c_int,
        [c_char_p, POINTER(OpenOptions), POINTER(c_void_p), POINTER(Message)],
    ),
    "connect": (
        c_int,
        [c_char_p, POINTER(ConnectOptions), POINTER(c_void_p), POINTER(Message)],
    ),
    "open_memory": (
        c_int,
        [c_char_p, c_size_t, POINTER(OpenOptions), POINTER(c_void_p), POINTER(Message)],
    ),
    "reload_file": (
        c_int,
        [c_void_p, c_char_p, POINTER(ReloadOptions), POINTER(Message)],
    ),
    "reload_memory": (
        c_int,
        [c_void_p, c_char_p, c_size_t, POINTER(ReloadOptions), POINTER(Message)],
    ),
    "await_ready": (c_int, [c_void_p, c_char_p, c_uint32, POINTER(Message)]),
    "await_serving": (c_int, [c_void_p, c_char_p, c_uint32, POINTER(Message)]),
    "pool_retry": (c_int, [c_void_p, c_char_p, POINTER(Message)]),
    "pool_recycle": (c_int, [c_void_p, c_char_p, POINTER(Message)]),
    "pool_resize": (c_int, [c_void_p, c_char_p, c_uint32, POINTER(Message)]),
    "worker_recycle": (c_int, [c_void_p, c_char_p, c_uint64, POINTER(Message)]),
    "flush_log": (c_int, [c_void_p, c_uint32]),
    "close": (None, [c_void_p, c_uint32]),
    "call": (
        c_int,
        [c_void_p, c_char_p, c_void_p, POINTER(CallOptions), POINTER(c_void_p)],
    ),
    "call_json": (
        c_int,
        [c_void_p, c_char_p, c_char_p, POINTER(CallOptions), POINTER(c_void_p)],
    ),
    "submit": (
        c_int,
        [
            c_void_p,
            c_char_p,
            c_void_p,
            POINTER(CallOptions),
            DoneFunction,
            c_void_p,
            POINTER(c_uint64),
        ],
    ),
    "submit_tools": (
        c_int,
        [
            c_void_p,
            POINTER(CallOptions),
            DoneFunction,
            c_void_p,
            POINTER(c_uint64),
        ],
    ),
    "submit_json": (
        c_int,
        [
            c_void_p,
            c_char_p,
            c_char_p,
            POINTER(CallOptions),
            DoneFunction,
            c_void_p,
            POINTER(c_uint64),
        ],
    ),
    "cancel": (c_int, [c_void_p, c_uint64]),
    "completion_fd": (c_int, [c_void_p, POINTER(c_int)]),
    "drain": (c_size_t, [c_void_p, c_uint32]),
    "queue_new": (c_int, [c_void_p, POINTER(c_void_p), POINTER(Message)]),
    "queue_fd": (c_int, [c_void_p, POINTER(c_int)]),
    "queue_drain": (c_size_t, [c_void_p, c_uint32]),
    "queue_free": (c_int, [c_void_p]),
    "answer_fault": (POINTER(Fault), [c_void_p]),
    "answer_get_stop": (c_int, [c_void_p, POINTER(StopInfo)]),
    "answer_reader": (None, [c_void_p, POINTER(Reader)]),
    "answer_attempts": (c_uint32, [c_void_p]),
    "answer_retry_after_ms": (c_uint32, [c_void_p]),
    "answer_json": (c_char_p, [c_void_p]),
    "answer_free": (None, [c_void_p]),
    "stream_open": (
        c_int,
        [c_void_p, c_char_p, c_void_p, POINTER(CallOptions), POINTER(c_void_p)],
    ),
    "stream_open_json": (
        c_int,
        [c_void_p, c_char_p, c_char_p, POINTER(CallOptions), POINTER(c_void_p)],
    ),
    "stream_next": (c_int, [c_void_p, POINTER(Reader)]),
    "stream_try_next": (c_int, [c_void_p, POINTER(Reader)]),
    "stream_json": (c_char_p, [c_void_p]),
    "stream_id": (c_uint64, [c_void_p]),
    "stream_answer": (c_void_p, [c_void_p]),
    "stream_close": (None, [c_void_p]),
    "stream_each": (
        c_int,
        [
            c_void_p,
            c_char_p,
            c_void_p,
            POINTER(CallOptions),
            ChunkFunction,
            c_void_p,
            POINTER(c_void_p),
        ],
    ),
    "session_put": (
        c_int,
        [c_void_p, c_char_p, c_char_p, c_void_p, POINTER(PutOptions)],
    ),
    "session_get": (c_int, [c_void_p, c_char_p, c_char_p, POINTER(c_void_p)]),
    "session_delete": (c_int, [c_void_p, c_char_p, c_char_p]),
    "session_list": (c_int, [c_void_p, c_char_p, POINTER(c_void_p)]),
    "sessions": (c_int, [c_void_p, c_char_p, c_uint32, POINTER(c_void_p)]),
    "session_close": (c_int, [c_void_p, c_char_p]),
    "tool_register": (
        c_int,
        [c_void_p, c_char_p, ToolFunction, c_void_p, POINTER(ToolOptions)],
    ),
    "tool_unregister": (c_int, [c_void_p, c_char_p, c_char_p]),
    "tensor_new": (
        c_int,
        [c_void_p, c_char_p, POINTER(Tensor), POINTER(c_void_p), POINTER(Message)],
    ),
    "tensor_free": (None, [c_void_p, POINTER(Tensor)]),
    "tensor_bytes": (c_int, [POINTER(Tensor), POINTER(c_size_t)]),
    "pool_count": (c_size_t, [c_void_p]),
    "pool_name": (c_char_p, [c_void_p, c_size_t]),
    "pool_get_stats": (c_int, [c_void_p, c_char_p, POINTER(PoolStats)]),
    "pool_tools": (
        c_int,
        [c_void_p, c_char_p, c_uint32, POINTER(c_void_p)],
    ),
    "worker_health": (c_int, [c_void_p, c_char_p, c_uint64, POINTER(Health)]),
    "metrics": (c_int, [c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_size_t)]),
    "metrics_free": (None, [c_void_p]),
    "worker_stacks": (
        c_int,
        [c_void_p, c_char_p, c_uint64, StackFunction, c_void_p, POINTER(Message)],
    ),
    "pool_workers": (
        c_int,
        [c_void_p, c_char_p, POINTER(WorkerInfo), c_size_t, POINTER(c_size_t)],
    ),
    "worker_executors": (
        c_int,
        [
            c_void_p,
            c_char_p,
            c_uint64,
            POINTER(ExecutorInfo),
            c_size_t,
            POINTER(c_size_t),
        ],
    ),
    "calls": (c_int, [c_void_p, c_char_p, c_size_t, c_void_p, c_void_p]),
    "recent_calls": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p]),
    "calls_record": (c_int, [c_void_p, c_bool]),
    "pool_deaths": (
        c_int,
        [c_void_p, c_char_p, c_void_p, c_size_t, POINTER(c_size_t)],
    ),
    "pool_breakers": (
        c_int,
        [c_void_p, c_char_p, POINTER(BreakerInfo), c_size_t, POINTER(c_size_t)],
    ),
    "writer_new": (c_void_p, []),
    "writer_free": (None, [c_void_p]),
    "writer_reset": (None, [c_void_p]),
    "writer_map": (None, [c_void_p, c_uint32]),
    "writer_array": (None, [c_void_p, c_uint32]),
    "writer_nil": (None, [c_void_p]),
    "writer_bool": (None, [c_void_p, c_bool]),
    "writer_int": (None, [c_void_p, c_int64]),
    "writer_uint": (None, [c_void_p, c_uint64]),
    "writer_double": (None, [c_void_p, c_double]),
    "writer_strn": (None, [c_void_p, c_char_p, c_size_t]),
    "writer_bytes": (None, [c_void_p, c_char_p, c_size_t]),
    "writer_tensor": (None, [c_void_p, POINTER(Tensor)]),
    "writer_json": (c_int, [c_void_p, c_char_p, c_size_t, POINTER(Message)]),
    "writer_error": (c_int, [c_void_p]),
    "writer_explain": (c_int, [c_void_p, POINTER(Message)]),
    "reader_init": (None, [POINTER(Reader), c_void_p, c_size_t]),
    "reader_next": (c_int, [POINTER(Reader), POINTER(Value)]),
    "reader_skip": (c_int, [POINTER(Reader)]),
}


# A pit must not be closed while a thread is in one of these.
WAITING = ("call", "call_json", "stream_next", "stream_each", "await_ready", "drain")


class Library:
    """The functions, without their prefix. Each releases the GIL while it runs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0  # threads in one of WAITING
        loaded = ctypes.CDLL(str(LIBRARY))
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(loaded, f"snakepit_{name}")
            function.restype = result
            function.argtypes = arguments
            setattr(self, name, self.counted(function) if name in WAITING else function)

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counting who is in it."""
        lock = self.lock

        def call(*arguments: Any) -> Any:
            with lock:
                self.inside += 1
            try:
                return function(*arguments)
            finally:
                with lock:
                    self.inside -= 1

        return call


lib = Library()


def err_name(err: int) -> str:
    """OK, SATURATED and so on."""
    return ERRORS[err]
