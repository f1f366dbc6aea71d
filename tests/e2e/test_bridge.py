# SPDX-License-Identifier: MIT
"""The original's contract, as a host that grpcio plays sees it."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.apart import apart
from support.bridge_host import STRING_VALUE, Host
from support.grpcs import needs_grpc, stubs
from support.served import config, end, serve

pytestmark = needs_grpc


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return stubs(tmp_path_factory.mktemp("stubs"), "snakepit_bridge.proto")


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[Any]:
    keys = {"compatibility": ["bridge"], "max_values": 1000}
    one = serve(config(tmp_path, keys))
    yield one
    end([one])


@pytest.fixture
def host(daemon: Any, made: pathlib.Path):
    """Makes a host; for the process that calls."""
    url = daemon.urls()[0]
    return lambda: Host(url, made)


@apart
def test_a_host_begins_as_it_does(host):
    h = host()
    pb = h.pb
    answer = h.stub.Ping(pb.PingRequest(message="there?"), timeout=60)
    assert answer.message == "there?"
    assert abs(answer.server_time.seconds - time.time()) < 3600
    begun = h.stub.InitializeSession(
        pb.InitializeSessionRequest(session_id="s", metadata={"language": "elixir"}),
        timeout=60,
    )
    assert begun.success and begun.error_message == ""
    add = begun.available_tools["add"]
    assert add.description == "The sum of two numbers."
    assert [one.name for one in add.parameters] == ["a", "b"]
    assert [one.type for one in add.parameters] == ["integer", "integer"]
    assert [one.required for one in add.parameters] == [True, False]
    assert json.loads(add.parameters[1].default_value.value) == 1
    assert json.loads(add.parameters[0].validation_json)["type"] == "integer"
    assert begun.available_tools["count"].supports_streaming
    assert not add.supports_streaming
    session = h.stub.GetSession(pb.GetSessionRequest(session_id="s"), timeout=60)
    assert dict(session.metadata) == {"language": "elixir"}
    assert abs(session.created_at.seconds - time.time()) < 3600
    beat = h.stub.Heartbeat(pb.HeartbeatRequest(session_id="s"), timeout=60)
    assert beat.session_valid and beat.server_time.seconds > 0
    gone = h.stub.CleanupSession(pb.CleanupSessionRequest(session_id="s"), timeout=60)
    assert gone.success and gone.resources_cleaned == 1
    assert not h.stub.CleanupSession(
        pb.CleanupSessionRequest(session_id="s"), timeout=60
    ).success
    beat = h.stub.Heartbeat(pb.HeartbeatRequest(session_id="s"), timeout=60)
    assert not beat.session_valid
    with pytest.raises(h.grpc.RpcError) as caught:
        h.stub.GetSession(pb.GetSessionRequest(session_id="s"), timeout=60)
    assert caught.value.code() == h.grpc.StatusCode.NOT_FOUND


@apart
@pytest.mark.parametrize("packed", [False, True])
def test_a_tool_is_called_with_json(host, packed):
    h = host()
    answer = h.execute("add", packed, a=40, b=2)
    assert answer.success and answer.error_message == ""
    assert answer.result.type_url == STRING_VALUE
    assert json.loads(answer.result.value) == 42
    assert 0 <= answer.execution_time_ms < 60_000
    assert json.loads(h.execute("session", packed).result.value) == "s"
    whole = {"text": "a\n\u20ac", "list": [1, {"b": None}], "real": 0.5}
    assert json.loads(h.execute("echo", packed, **whole).result.value) == whole


@apart
def test_binary_parameters_and_results_are_bytes(host):
    h = host()
    request = h.request("echo")
    request.binary_parameters["image"] = b"\x00\xff"
    answer = h.stub.ExecuteTool(request, timeout=60)
    assert json.loads(answer.result.value) == {"image": {"$bytes": "AP8="}}
    answer = h.execute("data")
    assert answer.binary_result == b"\x00\xff\x80" and not answer.HasField("result")
    request.metadata["binary_format:image"] = "pickle"
    with pytest.raises(h.grpc.RpcError) as caught:
        h.stub.ExecuteTool(request, timeout=60)
    assert caught.value.code() == h.grpc.StatusCode.INVALID_ARGUMENT
    assert "pickle" in caught.value.details()


@apart
def test_what_is_large_is_whole(host):
    """It is read and written beside the loop."""
    h = host()
    whole = {"text": "a\u20ac" * 1_000_000}
    assert json.loads(h.execute("echo", **whole).result.value) == whole
    request = h.request("echo", **whole)
    chunks = list(h.stub.ExecuteStreamingTool(request, timeout=60))
    assert [one.is_final for one in chunks] == [False, True]
    assert json.loads(chunks[0].data) == whole
    request.parameters["text"].value = b'"' + b"a" * 2_000_000
    with pytest.raises(h.grpc.RpcError) as caught:
        h.stub.ExecuteTool(request, timeout=60)
    assert caught.value.code() == h.grpc.StatusCode.INVALID_ARGUMENT
    assert "the parameter 'text' is not JSON" in caught.value.details()
    error = json.loads(h.execute("nowhere", **whole).error_message)
    assert error["context"]["name"] == "UNKNOWN_TOOL"


@apart
def test_all_parameters_hold_as_many_values_as_a_body(host):
    h = host()
    # Two pairs, and what is in each.
    assert h.execute("echo", a=[0] * 499, b=[0] * 499).success
    with pytest.raises(h.grpc.RpcError) as caught:
        h.execute("echo", a=[0] * 499, b=[0] * 500)
    assert caught.value.code() == h.grpc.StatusCode.INVALID_ARGUMENT
    assert "1000 values that `serve: max_values`" in caught.value.details()


@apart
def test_a_tool_that_fails_is_an_answer(host):
    h = host()
    answer = h.execute("fail", message="so not")
    assert not answer.success and not answer.HasField("result")
    error = json.loads(answer.error_message)
    assert error["type"] == "ValueError" and error["message"] == "so not"
    assert error["stacktrace"] == error["traceback"].splitlines()
    assert error["context"]["name"] == "TOOL_FAILED"
    answer = h.execute("die")
    assert json.loads(answer.error_message)["type"] == "WORKER_DIED"
    request = h.request("add")
    request.parameters["a"].CopyFrom(h.any(1))
    request.parameters["a"].value = b"{no"
    with pytest.raises(h.grpc.RpcError) as caught:
        h.stub.ExecuteTool(request, timeout=60)
    assert caught.value.code() == h.grpc.StatusCode.INVALID_ARGUMENT
    assert "the parameter 'a' is not JSON" in caught.value.details()


@apart
def test_a_stream_ends_with_a_final_chunk(host):
    h = host()
    chunks = list(h.stub.ExecuteStreamingTool(h.request("count", n=3), timeout=60))
    assert [one.chunk_id for one in chunks] == [f"count-{i}" for i in range(4)]
    assert [one.is_final for one in chunks] == [False] * 3 + [True]
    assert [json.loads(one.data) for one in chunks] == [0, 1, 2, 3]
    chunks = list(h.stub.ExecuteStreamingTool(h.request("lines"), timeout=60))
    assert chunks[-1].is_final and chunks[-1].data == b""
    for arguments, before in (({"n": 3, "fail_at": 2}, 2), ({"n": 3, "fail_at": 0}, 0)):
        seen = []
        with pytest.raises(h.grpc.RpcError) as caught:
            for one in h.stub.ExecuteStreamingTool(
                h.request("count", **arguments), timeout=60
            ):
                seen.append(one)
        assert len(seen) == before
        assert caught.value.code() == h.grpc.StatusCode.INTERNAL
        error = json.loads(caught.value.details())
        assert error["type"] == "ValueError" and error["context"]["number"] == 9
    with pytest.raises(h.grpc.RpcError) as caught:
        list(h.stub.ExecuteStreamingTool(h.request("fail", message="%\n" * 5000)))
    assert json.loads(caught.value.details())["message"] == "%\n" * 100


@apart
def test_a_correlation_comes_back_and_a_deadline_may_be_metadata(host, tmp_path):
    h = host()
    header = [("x-snakepit-correlation-id", "c-1")]
    answer = h.stub.ExecuteTool(h.request("add", a=1), timeout=60, metadata=header)
    assert dict(answer.metadata) == {"correlation_id": "c-1"}
    request = h.request("wait", path=str(tmp_path / "begun"))
    request.metadata["timeout_ms"] = "300"
    answer = h.stub.ExecuteTool(request, timeout=60)
    assert json.loads(answer.error_message)["type"] == "DEADLINE_EXCEEDED"


@apart
def test_workers_of_others_may_call_the_pools_tools(host):
    h = host()
    pb = h.pb
    exposed = h.stub.GetExposedElixirTools(
        pb.GetExposedElixirToolsRequest(session_id="s"), timeout=60
    )
    assert "add" in [one.name for one in exposed.tools]
    answer = h.stub.ExecuteElixirTool(
        pb.ExecuteElixirToolRequest(
            session_id="s",
            tool_name="add",
            parameters={"a": h.any(1, packed=True)},
        ),
        timeout=60,
    )
    assert answer.success and json.loads(answer.result.value) == 2
    answer = h.stub.RegisterTools(
        pb.RegisterToolsRequest(
            session_id="s", worker_id="w", tools=[pb.ToolRegistration(name="x")]
        ),
        timeout=60,
    )
    assert not answer.success and "calls no others" in answer.error_message


def test_the_contract_is_served_only_where_it_is_asked_for(tmp_path, made):
    one = serve(config(tmp_path))
    url = one.urls()[0]

    @apart
    def call():
        h = Host(url, made)
        with pytest.raises(h.grpc.RpcError) as caught:
            h.stub.Ping(h.pb.PingRequest(), timeout=60)
        assert caught.value.code() == h.grpc.StatusCode.UNIMPLEMENTED

    try:
        call()
    finally:
        end([one])
