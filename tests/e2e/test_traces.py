# SPDX-License-Identifier: MIT
"""Trace contexts, from who calls to the tool and to the host's tools that it asks."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
from support import library as raw
from support import pool
from support.apart import apart
from support.grpcs import Peer, needs_grpc, stubs
from support.host_tools import register
from support.pit import Pit
from support.served import Client, config, end, serve

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-00"
CONTEXT = raw.TraceContext(
    tuple(bytes.fromhex(TRACE)), tuple(bytes.fromhex(SPAN)), flags=0xFC
)
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
NONE = ["", "", ""]
GIVEN = [PARENT, STATE, PARENT]


@pytest.fixture
def traced(open_pit, profile):
    return open_pit(pool(profile, adapter="traced.Traced"))


def is_child(traceparent, parent):
    """Of the same trace, with the same flags, and a span of its own."""
    ours, theirs = traceparent.split("-"), parent.split("-")
    return ours[1] == theirs[1] and ours[3] == theirs[3] and ours[2] != theirs[2]


# ---- To the tool ---------------------------------------------------------------------


def test_a_tool_sees_the_trace_of_its_call_and_of_no_other(traced):
    for tool in ("where", "where_awaited"):
        assert traced.call(tool, trace=(PARENT, STATE)) == GIVEN
        assert traced.call(tool) == NONE
        assert traced.call(tool, trace=(PARENT,)) == [PARENT, "", PARENT]
        assert traced.submit(tool, trace=(PARENT, STATE)).wait().value == GIVEN
    assert traced.call("where_gathered", {"numbers": 1}, trace=(PARENT,))[0] == PARENT
    with traced.stream("where_streamed", trace=(PARENT, STATE)) as stream:
        assert list(stream) == [GIVEN, GIVEN]
    with traced.stream("where_streamed") as stream:
        assert list(stream) == [NONE, NONE]


def test_a_program_may_have_it_as_bytes(traced):
    assert traced.call("where", trace=(CONTEXT, STATE)) == GIVEN
    assert traced.call("where", trace=(CONTEXT,)) == [PARENT, "", PARENT]
    assert traced.submit("where", trace=(CONTEXT, STATE)).wait().value == GIVEN
    with traced.stream("where_streamed", trace=(CONTEXT, STATE)) as stream:
        assert list(stream) == [GIVEN, GIVEN]


def test_it_is_beside_long_names_and_large_arguments(traced):
    session = "s" * 255
    long = "a=" + "b" * 510
    assert traced.call("where", trace=(PARENT, long), session=session) == [
        PARENT,
        long,
        PARENT,
    ]
    assert traced.call("where", trace=(PARENT, STATE), session=session) == GIVEN


@pytest.mark.parametrize(
    ("trace", "what"),
    [
        ((f"00-{TRACE}-{SPAN}",), "the call's traceparent is malformed"),
        ((f"00-{'0' * 32}-{SPAN}-00",), "the call's traceparent is malformed"),
        ((PARENT, "a" * 513), "the call's tracestate has more than 512"),
        ((PARENT, "a=\n"), "the call's tracestate"),
        ((CONTEXT, PARENT, STATE), "both `traceparent` and `trace`; set one"),
        ((raw.TraceContext(CONTEXT.trace_id),), "a span_id of zeros only"),
        ((raw.TraceContext(span_id=CONTEXT.span_id),), "a trace_id or"),
    ],
)
def test_a_program_that_gives_a_malformed_one_is_told(traced, trace, what):
    fault = traced.fails("where", trace=trace)
    assert fault.err == "INVALID_ARGUMENT"
    assert what in fault.message


def test_spans_of_the_adapter_are_one_within_the_other(traced):
    around, outer, inner, again, after = traced.call("spans", trace=(PARENT,))
    assert around == after == PARENT
    assert outer == again
    assert is_child(outer, PARENT)
    assert is_child(inner, outer)
    assert traced.call("spans") == [""] * 5


# ---- Back to the host ----------------------------------------------------------------


@pytest.mark.parametrize("tool", ["ask", "ask_awaited"])
def test_a_tool_of_the_host_is_told_which_span_asks(traced, tool):
    seen = []
    register(traced, "note", lambda info: seen.append(info))
    within, _ = traced.call(tool, {"tool": "note"}, trace=(PARENT, STATE))
    assert is_child(within, PARENT)
    assert (seen[0].traceparent, seen[0].tracestate) == (within, STATE)
    traced.call(tool, {"tool": "note"})
    assert (seen[1].traceparent, seen[1].tracestate) == ("", "")


def test_calls_that_a_tool_of_the_host_makes_go_on_with_its_trace(traced):
    other = f"00-{'1' * 32}-{'2' * 16}-01"
    register(traced, "nested", lambda info: traced.call("where"))
    register(traced, "apart", lambda info: traced.call("where", trace=(other,)))
    for tool in ("ask", "ask_awaited"):
        within, got = traced.call(tool, {"tool": "nested"}, trace=(PARENT, STATE))
        assert got == [within, STATE, within]
        _, got = traced.call(tool, {"tool": "apart"}, trace=(PARENT, STATE))
        assert got == [other, "", other]
        assert traced.call(tool, {"tool": "nested"}) == ["", NONE]
    assert traced.call("where") == NONE


# ---- The doors -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("traced")
    listen = ["127.0.0.1:0", {"address": f"unix:{folder}/local.sock", "door": "local"}]
    daemon = serve(config(folder, {"listen": listen}, adapter="traced.Traced"))
    yield Client(daemon)
    end([daemon])


def test_http_hands_its_header_fields_on(door):
    fields = {"traceparent": PARENT, "tracestate": STATE}
    assert door.call("where", {}, **fields) == (200, GIVEN)
    assert door.call("where", {}, traceparent=PARENT) == (200, [PARENT, "", PARENT])
    assert door.call("where", {}, tracestate=STATE) == (200, NONE)
    events = door.events("where_streamed", {}, **fields)
    assert [value for _, value in events][:2] == [GIVEN, GIVEN]
    events.close()


@pytest.mark.parametrize(
    "malformed",
    [f"00-{TRACE.upper()}-{SPAN}-00", "", "00", f"ff-{TRACE}-{SPAN}-00", "a" * 300],
)
def test_a_malformed_one_of_http_counts_as_none(door, malformed):
    fields = {"traceparent": malformed, "tracestate": STATE}
    assert door.call("where", {}, **fields) == (200, NONE)


def test_a_tracestate_that_is_too_long_is_left_out(door):
    fields = {"traceparent": PARENT, "tracestate": "a" * 513}
    assert door.call("where", {}, **fields) == (200, [PARENT, "", PARENT])


def ask_by_mcp(door: Client, meta: dict[str, object], tool: str = "where", **fields):
    params = {"name": f"text.{tool}", "arguments": {}, "_meta": meta}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    accept = "application/json, text/event-stream"
    return door.ask("POST", "/mcp", request, Accept=accept, **fields)


def by_mcp(door: Client, meta: dict[str, object], **fields):
    _, answer = ask_by_mcp(door, meta, **fields)
    return answer["result"]["structuredContent"]["result"]


def test_mcp_hands_on_what_a_message_says_of_its_trace(door):
    meta = {"traceparent": PARENT, "tracestate": STATE}
    assert by_mcp(door, meta) == GIVEN
    assert by_mcp(door, {"traceparent": PARENT}) == [PARENT, "", PARENT]
    assert by_mcp(door, {"tracestate": STATE}) == NONE
    assert by_mcp(door, {"traceparent": "00-1", "tracestate": STATE}) == NONE
    assert by_mcp(door, {"traceparent": 7, "tracestate": []}) == NONE
    assert by_mcp(door, {**meta, "tracestate": "a" * 513}) == [PARENT, "", PARENT]


def test_of_mcp_the_message_goes_before_the_header_fields(door):
    other = f"00-{TRACE[::-1]}-{SPAN}-00"
    fields = {"traceparent": other, "tracestate": "other=1"}
    assert by_mcp(door, {}, **fields) == [other, "other=1", other]
    assert by_mcp(door, {"traceparent": PARENT}, **fields) == [PARENT, "", PARENT]
    assert by_mcp(door, {"traceparent": "00-1"}, **fields) == [other, "other=1", other]


def test_the_local_door_hands_on_what_its_client_says(door):
    address = next(url for url in door.daemon.urls(2) if url.startswith("unix:"))
    session = "s" * 200
    with Pit.connect(address) as pit:
        assert pit.call("where", trace=(PARENT, STATE)) == GIVEN
        assert pit.call("where", trace=(PARENT,), session=session)[0] == PARENT
        assert pit.call("where") == NONE
        with pit.stream("where_streamed", trace=(PARENT, STATE)) as stream:
            assert list(stream) == [GIVEN, GIVEN]
        fault = pit.fails("where", trace=("00-1",))
        assert fault.err == "INVALID_ARGUMENT"


@needs_grpc
def test_grpc_hands_its_metadata_on(door, tmp_path: pathlib.Path):
    ask_by_grpc(door.daemon.urls()[0], stubs(tmp_path))


@apart
def ask_by_grpc(url: str, made: pathlib.Path) -> None:
    peer = Peer(url, made)
    metadata = [("traceparent", PARENT), ("tracestate", STATE)]
    assert peer.call("where", metadata=metadata) == GIVEN
    assert peer.call("where", metadata=[("traceparent", "00-1")]) == NONE
    assert peer.call("where") == NONE
