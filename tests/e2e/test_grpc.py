# SPDX-License-Identifier: MIT
"""The gRPC door, as grpcio sees it, against the real daemon."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from support.apart import apart, beside
from support.grpcs import Peer, needs_grpc, stubs
from support.places import ROOT
from support.raw_http import Raw
from support.served import Client, config, end, poured, serve
from support.tokens import secret, token, write
from support.waiting import eventually

pytestmark = needs_grpc


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return stubs(tmp_path_factory.mktemp("stubs"))


@pytest.fixture
def peer(client: Client, made: pathlib.Path):
    """Makes a client; for the process that calls."""
    url = client.daemon.urls()[0]
    return lambda **options: Peer(url, made, **options)


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Any]:
    """Starts daemons of the test's own."""
    daemons: list = []

    def start_one(serving: dict[str, Any] | None = None, **keys: Any):
        daemons.append(serve(config(tmp_path, serving, **keys)))
        return daemons[-1]

    yield start_one
    end(daemons)


# ---- Calls ------------------------------------------------------------------------


@apart
def test_a_call_answers_in_the_form_of_its_arguments(peer):
    from google.protobuf import json_format, struct_pb2

    p = peer()
    assert p.call("add", {"a": 1, "b": 41}) == 42
    value = json_format.ParseDict({"a": 1, "b": 2.0}, struct_pb2.Value())
    request = p.pb.CallRequest(tool="echo", arguments=p.pb.Payload(value=value))
    answer = p.stub.Call(request, timeout=60)
    assert json_format.MessageToDict(answer.result.value) == {"a": 1.0, "b": 2.0}
    packed = b"\x81\xa1a\x07"
    request = p.pb.CallRequest(tool="echo", arguments=p.pb.Payload(msgpack=packed))
    assert p.stub.Call(request, timeout=60).result.msgpack == packed
    request.result_form = p.pb.FORM_JSON
    assert json.loads(p.stub.Call(request, timeout=60).result.json) == {"a": 7}
    assert p.stub.Call(p.pb.CallRequest(tool="nothing"), timeout=60).result.HasField(
        "value"
    )


@apart
def test_tensors_cross_as_bytes(peer):
    import numpy

    p = peer(**{"grpc.max_send_message_length": -1})
    array = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    tensor = p.pb.Tensor(dtype="float32", shape=[2, 3], data=array.tobytes())
    payload = p.pb.Payload(tensors={"array": tensor})
    answer = p.stub.Call(
        p.pb.CallRequest(
            tool="double", arguments=payload, result_form=p.pb.FORM_MSGPACK
        ),
        timeout=60,
    )
    (got,) = answer.result.tensors.values()
    assert (got.dtype, list(got.shape)) == ("float32", [2, 3])
    assert numpy.array_equal(
        numpy.frombuffer(got.data, numpy.float32).reshape(2, 3), array * 2
    )
    large = p.stub.Call(
        p.pb.CallRequest(
            tool="zeros",
            arguments=p.pb.Payload(json=b'{"n": 4000000}'),
            result_form=p.pb.FORM_MSGPACK,
        ),
        timeout=60,
    )
    (got,) = large.result.tensors.values()
    assert got.data == bytes(16000000)


@apart
def test_large_tensors_are_received_where_their_worker_reads_them(peer):
    import numpy

    p = peer(**{"grpc.max_send_message_length": -1})

    def tensor(array, **fields):
        fields = {"dtype": str(array.dtype), "shape": array.shape, **fields}
        return p.pb.Tensor(data=array.tobytes(), **fields)

    def request(tool, _pool="", **arrays):
        payload = p.pb.Payload(tensors=arrays)
        return p.pb.CallRequest(
            pool=_pool, tool=tool, arguments=payload, result_form=p.pb.FORM_MSGPACK
        )

    def shared():
        return p.stub.GetPool(p.pb.GetPoolRequest(), timeout=60).pool.shared_bytes

    made = numpy.arange(1 << 20, dtype=numpy.float32)
    # The pool has 64 MiB, of which half may be for what is still to come.
    for array in (made, numpy.zeros(10 << 20, numpy.float32)):
        for _ in range(2):
            answer = p.stub.Call(request("double", array=tensor(array)), timeout=60)
            (got,) = answer.result.tensors.values()
            assert got.data == (array * 2).tobytes()
    arrays = {"a": made, "b": made.astype("int64"), "c": made[:3]}
    several = request("echo", **{name: tensor(one) for name, one in arrays.items()})
    got = p.stub.Call(several, timeout=60).result.tensors
    assert {name: one.data for name, one in got.items()} == {
        name: one.tobytes() for name, one in arrays.items()
    }
    code = p.grpc.StatusCode
    wrong = tensor(made, shape=[(1 << 20) + 1])
    for asked, wanted in (
        (request("double", array=wrong), code.INVALID_ARGUMENT),
        (request("double", _pool="nowhere", array=tensor(made)), code.NOT_FOUND),
        (request("no_such", array=tensor(made)), code.UNIMPLEMENTED),
    ):
        assert p.error(p.stub.Call, asked, timeout=60).code() == wanted
    gone = [p.stub.Call.future(request("echo", a=tensor(made))) for _ in range(20)]
    for call in gone:
        call.cancel()
    eventually(lambda: shared() < 1 << 20, "that the memory is given back")


@apart
def test_answers_of_any_size_end_with_their_trailers(peer):
    p = peer()
    # The window of a stream is 65,535 bytes at first, and a frame has 16,384.
    for around in (0, 16384, 65535, 131072, 1 << 20):
        for size in range(max(around - 24, 0), around + 3):
            assert p.call("echo", {"x": "y" * size}) == {"x": "y" * size}


@apart
def test_large_messages_are_read_beside_the_others(peer):
    p = peer(**{"grpc.max_send_message_length": -1})
    values = list(range(1000000))
    calls = [p.stub.Call.future(p.request("echo", {"x": values})) for _ in range(3)]
    calls.append(p.stub.Stream(p.request("echo", {"x": values})))
    gone = p.stub.Call.future(p.request("echo", {"x": values}))
    assert p.call("add", {"a": 1}) == 2
    gone.cancel()
    for call in calls[:-1]:
        assert json.loads(call.result(120).result.json) == {"x": values}
    assert json.loads(next(calls[-1]).chunk.json) == {"x": values}
    broken = p.pb.Payload(json=b"[" * 2000000)
    error = p.error(p.stub.Call, p.pb.CallRequest(tool="echo", arguments=broken))
    assert error.code() == p.grpc.StatusCode.INVALID_ARGUMENT


# ---- Errors -----------------------------------------------------------------------


@apart
def test_a_fault_is_a_status_with_details(peer):
    p = peer()
    code = p.grpc.StatusCode
    error = p.error(p.call, "fail", {"message": "50 % of ünïcödé\n"})
    assert error.code() == code.UNKNOWN
    assert error.details() == "ValueError: 50 % of ünïcödé\n"
    fault = p.fault(error)
    assert (fault.name, fault.type) == ("TOOL_FAILED", "ValueError")
    assert "in fail" in fault.traceback and not fault.retryable
    for request, wanted in (
        (p.request("no_such"), code.UNIMPLEMENTED),
        (p.pb.CallRequest(pool="nowhere", tool="add"), code.NOT_FOUND),
        (p.pb.CallRequest(tool="add", priority=8), code.INVALID_ARGUMENT),
        (p.request("alike"), code.INTERNAL),
        (
            p.pb.CallRequest(tool="add", arguments=p.pb.Payload(json=b"[")),
            code.INVALID_ARGUMENT,
        ),
    ):
        error = p.error(p.stub.Call, request, timeout=60)
        assert error.code() == wanted, error
        assert error.details()


@apart
def test_a_long_fault_is_cut(peer):
    p = peer()
    error = p.error(p.call, "fail", {"message": "x" * 100000})
    sent = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert len(sent) * 4 / 3 + len(error.details()) <= 3700
    assert p.fault(error).name == "TOOL_FAILED"


@apart
def test_a_deadline_ends_the_call_at_both_ends(peer, tmp_path):
    p = peer()
    path = tmp_path / "waits"
    error = p.error(p.call, "wait", {"path": str(path)}, timeout=2)
    assert error.code() == p.grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: path.read_text() == "ended", "that the tool has ended")
    watch = p.channel.unary_stream("/grpc.health.v1.Health/Watch")
    error = p.error(list, watch(b"", timeout=0.3))
    assert error.code() == p.grpc.StatusCode.DEADLINE_EXCEEDED


@apart
def test_what_is_not_there_is_unimplemented(peer):
    p = peer()
    for path in ("/snakepit.v1.Snakepit/Nothing", "/no.such.Service/Call"):
        error = p.error(p.channel.unary_unary(path), b"", timeout=60)
        assert error.code() == p.grpc.StatusCode.UNIMPLEMENTED


# ---- Cancelling ---------------------------------------------------------------------


@apart
def test_a_client_that_gives_up_cancels_its_call(peer, tmp_path):
    p = peer()
    path = tmp_path / "waits"
    future = p.stub.Call.future(p.request("wait", {"path": str(path)}))
    eventually(path.exists, "that the tool runs")
    future.cancel()
    eventually(lambda: path.read_text() == "ended", "that the tool has ended")


def wait_for_ever(peer: Any, path: pathlib.Path) -> None:
    peer().call("wait", {"path": str(path)})


def test_a_client_that_is_killed_cancels_its_call(peer, tmp_path):
    path = tmp_path / "waits"
    with beside(wait_for_ever, peer, path) as other:
        eventually(path.exists, "that the tool runs")
        other.kill()
        assert other.join()
    eventually(lambda: path.read_text() == "ended", "that the tool has ended")


@apart
def test_a_call_is_cancelled_by_its_name(peer, tmp_path):
    p = peer()
    path = tmp_path / "waits"
    request = p.request("wait", {"path": str(path)}, call_id="my.call")
    future = p.stub.Call.future(request)
    eventually(path.exists, "that the tool runs")
    p.stub.Cancel(p.pb.CancelRequest(call_id="my.call"), timeout=60)
    assert future.exception().code() == p.grpc.StatusCode.CANCELLED
    again = p.error(p.stub.Cancel, p.pb.CancelRequest(call_id="my.call"), timeout=60)
    assert again.code() == p.grpc.StatusCode.NOT_FOUND


# ---- Streams ----------------------------------------------------------------------


@apart
def test_a_stream_is_chunks_and_a_result(peer):
    p = peer()
    events = list(p.stream("count", {"n": 300}))
    assert [json.loads(event.chunk.json) for event in events[:-1]] == list(range(300))
    assert json.loads(events[-1].result.json) == 300


@apart
def test_a_stream_that_fails_has_given_what_came_before(peer):
    p = peer()
    got: list[int] = []

    def read() -> None:
        for event in p.stream("count", {"n": 9, "fail_at": 2}):
            got.append(json.loads(event.chunk.json))

    error = p.error(read)
    assert (got, error.details()) == ([0, 1], "ValueError: no 2")
    assert p.fault(error).name == "TOOL_FAILED"
    assert p.error(list, p.stream("no_such")).code() == p.grpc.StatusCode.UNIMPLEMENTED


@apart
def test_a_slow_reader_holds_its_producer(peer, tmp_path):
    p = peer()
    path = tmp_path / "poured"
    events = p.stream("pour", {"path": str(path)})
    looks = [-1]

    def is_held() -> bool:
        looks.append(poured(path))
        time.sleep(0.2)
        return looks[-1] > 0 and looks[-1] == looks[-2]

    eventually(is_held, "that the producer waits")
    held = looks[-1]
    assert held * 65536 < 16 << 20
    for _ in range(held + 50):
        next(events)
    eventually(lambda: poured(path) > held, "that the producer goes on")
    events.cancel()
    eventually(lambda: path.read_text() == "closed", "that the generator is closed")


@apart
def test_a_thousand_calls_at_once_on_one_connection(peer):
    p = peer()
    calls = [p.stub.Call.future(p.request("add", {"a": i})) for i in range(1000)]
    assert [json.loads(call.result(60).result.json) for call in calls] == [
        i + 1 for i in range(1000)
    ]


# ---- Sessions, pools --------------------------------------------------------------


@apart
def test_sessions_keep_values(peer):
    p = peer()
    stub, pb = p.stub, p.pb
    kept = pb.Payload(json=b'{"x": [1, 2]}')
    stub.PutValue(pb.PutValueRequest(session="s", key="k", value=kept), timeout=60)
    got = stub.GetValue(
        pb.GetValueRequest(session="s", key="k", form=pb.FORM_JSON), timeout=60
    )
    assert json.loads(got.value.json) == {"x": [1, 2]}
    keys = stub.GetSession(pb.GetSessionRequest(session="s"), timeout=60)
    assert (keys.session, list(keys.keys)) == ("s", ["k"])
    request = p.request("kept", {"key": "k"}, session="s")
    assert json.loads(stub.Call(request, timeout=60).result.json) == {"x": [1, 2]}
    assert p.call("session", metadata=[("snakepit-session", "s")]) == "s"
    name = "ä\x01"
    assert p.call("session", metadata=[("snakepit-session-bin", name.encode())]) == name
    stub.DeleteValue(pb.DeleteValueRequest(session="s", key="k"), timeout=60)
    stub.EndSession(pb.EndSessionRequest(session="s"), timeout=60)
    error = p.error(stub.GetSession, pb.GetSessionRequest(session="s"), timeout=60)
    assert error.code() == p.grpc.StatusCode.NOT_FOUND


@apart
def test_pools_and_tools_are_shown(peer):
    p = peer()
    (pool,) = p.stub.ListPools(p.pb.ListPoolsRequest(), timeout=60).pools
    assert (pool.name, pool.workers_ready) == ("text", 1)
    shown = p.stub.GetPool(p.pb.GetPoolRequest(), timeout=60)
    assert shown.pool.name == "text" and shown.workers[0].pid > 0
    tools = p.stub.ListTools(p.pb.ListToolsRequest(form=p.pb.FORM_JSON), timeout=60)
    assert "The sum of two numbers." in tools.tools.json.decode()


def test_workers_are_replaced_by_request(start, made):
    url = start().urls()[0]

    @apart
    def run() -> None:
        p = Peer(url, made)
        first = p.call("pid")
        p.stub.RecyclePool(p.pb.RecyclePoolRequest(), timeout=60)
        eventually(lambda: p.call("pid") != first, "that the worker is another one")
        rows = p.stub.GetPool(p.pb.GetPoolRequest(), timeout=60).workers
        second = max(rows, key=lambda row: row.id)  # the first one may still be leaving
        p.stub.RecycleWorker(p.pb.RecycleWorkerRequest(worker=second.id), timeout=60)
        eventually(lambda: p.call("pid") != second.pid, "that it is a third one")
        p.stub.Reload(p.pb.ReloadRequest(), timeout=60)
        error = p.error(
            p.stub.ResizePool, p.pb.ResizePoolRequest(workers=9), timeout=60
        )
        assert error.code() == p.grpc.StatusCode.INVALID_ARGUMENT

    run()


def test_a_call_that_a_drain_cuts_off_is_told_so(start, made, tmp_path):
    """And its client does not try again by itself: the tool had begun."""
    daemon = start({"shutdown_grace_ms": 0})
    url = daemon.urls()[0]
    path = tmp_path / "waits"

    def run() -> None:
        p = Peer(url, made)
        call = p.stub.Call.future(p.request("wait", {"path": str(path)}))
        eventually(path.exists, "that the tool runs")
        os.kill(daemon.popen.pid, signal.SIGTERM)
        error = p.error(call.result, 60)
        assert error.code() == p.grpc.StatusCode.UNAVAILABLE
        trailers = dict(error.trailing_metadata())
        assert trailers["grpc-retry-pushback-ms"] == "-1"

    apart(run)()
    assert daemon.wait() == 0


# ---- Health and reflection ----------------------------------------------------------


@apart
def test_health_is_known_to_the_usual_clients(peer):
    from grpc_health.v1 import health_pb2 as pb
    from grpc_health.v1 import health_pb2_grpc

    p = peer()
    stub = health_pb2_grpc.HealthStub(p.channel)
    for name in ("", "text", "snakepit.v1.Snakepit"):
        answer = stub.Check(pb.HealthCheckRequest(service=name), timeout=60)
        assert answer.status == pb.HealthCheckResponse.SERVING
    error = p.error(stub.Check, pb.HealthCheckRequest(service="nowhere"), timeout=60)
    assert error.code() == p.grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(pb.HealthCheckRequest(service="nowhere"))
    assert next(watch).status == pb.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


@apart
def test_reflection_describes_each_service(peer):
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    p = peer()
    database = ProtoReflectionDescriptorDatabase(p.channel)
    pool = DescriptorPool(database)
    for name in database.get_services():
        assert pool.FindServiceByName(name).methods
    ours = pool.FindServiceByName("snakepit.v1.Snakepit")
    assert set(ours.methods_by_name) == set(
        p.pb.DESCRIPTOR.services_by_name["Snakepit"].methods_by_name
    )


@apart
def test_sessions_are_listed_in_pages(peer):
    p = peer()
    for name in ("p1", "p2", "p3"):
        value = p.pb.Payload(json=b"1")
        request = p.pb.PutValueRequest(session=name, key="k", value=value)
        p.stub.PutValue(request, timeout=60)
    page = p.stub.ListSessions(p.pb.ListSessionsRequest(after="p1", limit=1))
    assert [(s.session, s.values, s.bytes) for s in page.sessions] == [("p2", 1, 130)]
    assert page.next == "p2"
    page = p.stub.ListSessions(p.pb.ListSessionsRequest(after="p2"))
    assert [s.session for s in page.sessions] == ["p3"] and not page.HasField("next")
    assert len(p.stub.ListSessions(p.pb.ListSessionsRequest()).sessions) >= 3
    code = p.grpc.StatusCode
    for after, limit, wanted in (
        ("gone", 0, code.NOT_FOUND),
        ("", 0, code.INVALID_ARGUMENT),
        (None, 1001, code.INVALID_ARGUMENT),
    ):
        request = p.pb.ListSessionsRequest(after=after, limit=limit)
        assert p.error(p.stub.ListSessions, request).code() == wanted


# ---- Limits -----------------------------------------------------------------------


def test_messages_are_bounded_also_unpacked(start, made):
    url = start({"max_message": "100KiB"}).urls()[0]

    @apart
    def run() -> None:
        p = Peer(url, made)
        gzip = p.grpc.Compression.Gzip
        for options in ({}, {"compression": gzip}):
            assert p.call("echo", {"x": "y" * 90000}, **options)["x"] == "y" * 90000
            error = p.error(p.call, "echo", {"x": "y" * 110000}, **options)
            assert error.code() == p.grpc.StatusCode.RESOURCE_EXHAUSTED, error
        # Others on the connection are served on.
        assert p.call("add", {"a": 1}) == 2

    run()


# ---- Limits -----------------------------------------------------------------------


def test_messages_count_to_the_memory_of_all_bodies(start, made):
    daemon = start({"max_message": "8MiB", "max_memory": "8MiB"})
    url = daemon.urls()[0]
    mib = 1 << 20

    @apart
    def run() -> None:
        p = Peer(url, made, **{"grpc.max_send_message_length": -1})
        large = {"value": "x" * (4 * mib)}

        def refused() -> bool:
            try:
                p.call("echo", large)
            except p.grpc.RpcError as error:
                assert error.code() == p.grpc.StatusCode.UNAVAILABLE, error
                assert "take `serve: max_memory` already" in error.details()
                return True
            return False

        assert not refused()
        with Raw(daemon.connect(url)) as raw:
            raw.send(
                "POST /v1/pools/text/tools/echo HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {6 * mib}\r\n\r\n"
            )
            raw.send(b" " * (6 * mib - 1))
            eventually(refused, "that the budget is spent")
            assert p.call("add", {"a": 1, "b": 1}) == 2
        eventually(lambda: not refused(), "that it is given back")

    run()
    assert 'because="max_memory"' in daemon.logged("serve.full")


def test_a_message_has_as_many_values_as_a_body(start, made):
    url = start({"max_values": 1000}).urls()[0]

    @apart
    def run() -> None:
        from google.protobuf import json_format, struct_pb2

        p = Peer(url, made)
        for count, fits in ((999, True), (1000, False)):
            value = {"value": [None] * count}
            struct = json_format.ParseDict(value, struct_pb2.Value())
            packed = b"\x81\xa5value\xdc" + count.to_bytes(2, "big") + b"\xc0" * count
            for arguments in (
                p.pb.Payload(json=json.dumps(value).encode()),
                p.pb.Payload(value=struct),
                p.pb.Payload(msgpack=packed),
            ):
                request = p.pb.CallRequest(tool="echo", arguments=arguments)
                if fits:
                    p.stub.Call(request, timeout=60)
                    continue
                error = p.error(p.stub.Call, request, timeout=60)
                assert error.code() == p.grpc.StatusCode.INVALID_ARGUMENT
                assert "1000 values that `serve: max_values`" in error.details()

    run()


# ---- Tokens -----------------------------------------------------------------------

SCOPES = ("call", "observe", "admin")


def methods() -> dict[str, str]:
    """The scope of each method, by its path."""
    text = (ROOT / "src/services/methods.def").read_text()
    found = re.findall(
        r'^SP_GRPC_METHOD\("([^"]+)", "(\w+)", \w+, \w+, (\w+),', text, re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^SP_GRPC_METHOD\(", text, re.MULTILINE))
    return {f"/{service}/{name}": scope.lower() for service, name, scope in found}


@pytest.fixture
def guarded(start, tmp_path) -> str:
    """The URL of a listener that asks for tokens."""
    tokens = tmp_path / "tokens.yaml"
    write(
        tokens,
        [
            *(token(scope, scope) for scope in SCOPES),
            token("mine", *SCOPES, pools=["text"]),
            token("other", *SCOPES, pools=["other"]),
        ],
    )
    listen = ["127.0.0.1:0", {"address": "127.0.0.1:0", "tokens": str(tokens)}]
    keys = {"listen": listen, "compatibility": ["bridge"]}
    return start(keys).urls(2)[1]


def metadata(name: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {secret(name)}")]


def test_each_method_asks_for_its_scope(guarded, made):
    @apart
    def run() -> None:
        p = Peer(guarded, made)
        code = p.grpc.StatusCode

        def answer(path: str, shown: list[tuple[str, str]]) -> Any:
            try:
                p.channel.unary_unary(path)(b"", timeout=1, metadata=shown)
            except p.grpc.RpcError as error:
                return error.code()
            return code.OK

        refused = (code.UNAUTHENTICATED, code.PERMISSION_DENIED)
        for path, scope in methods().items():
            nobody = answer(path, [])
            assert (nobody == code.UNAUTHENTICATED) == (scope != "open"), path
            for name in SCOPES:
                if (path, name) == ("/snakepit.v1.Snakepit/Drain", "admin"):
                    continue  # it would end the others
                got = answer(path, metadata(name))
                wanted = scope in (name, "open")
                assert (got in refused) != wanted, (path, name, got)
                assert wanted or got == code.PERMISSION_DENIED

    run()


def test_a_token_may_be_for_some_pools_alone(guarded, made):
    @apart
    def run() -> None:
        p = Peer(guarded, made)
        mine, other = metadata("mine"), metadata("other")
        assert p.call("add", {"a": 1}, metadata=mine) == 2
        error = p.error(p.call, "add", {"a": 1}, metadata=other)
        assert error.code() == p.grpc.StatusCode.PERMISSION_DENIED
        assert "is not for the pool text" in error.details()
        for shown, count in ((mine, 1), (other, 0)):
            answer = p.stub.ListPools(p.pb.ListPoolsRequest(), metadata=shown)
            assert len(answer.pools) == count
        for method, request in (
            ("ListTools", p.pb.ListToolsRequest()),
            ("GetPool", p.pb.GetPoolRequest()),
            ("RecyclePool", p.pb.RecyclePoolRequest()),
            ("Reload", p.pb.ReloadRequest()),
            ("Drain", p.pb.DrainRequest()),
        ):
            error = p.error(getattr(p.stub, method), request, metadata=other)
            assert error.code() == p.grpc.StatusCode.PERMISSION_DENIED
        kept = p.pb.PutValueRequest(session="s", key="k", value=p.pb.Payload(json=b"1"))
        p.stub.PutValue(kept, metadata=mine)
        error = p.error(
            p.stub.GetValue,
            p.pb.GetValueRequest(session="s", key="k"),
            metadata=metadata("call"),
        )
        assert error.code() == p.grpc.StatusCode.NOT_FOUND

    run()


def test_health_tells_nobody_the_names_of_pools_without_a_token(guarded, made):
    @apart
    def run() -> None:
        from grpc_health.v1 import health_pb2 as pb
        from grpc_health.v1 import health_pb2_grpc

        p = Peer(guarded, made)
        check = health_pb2_grpc.HealthStub(p.channel).Check
        pool = pb.HealthCheckRequest(service="text")
        serves = pb.HealthCheckResponse.SERVING
        assert check(pb.HealthCheckRequest(), timeout=60).status == serves
        for shown in ((), metadata("call"), metadata("other")):
            error = p.error(check, pool, timeout=60, metadata=shown)
            assert error.code() == p.grpc.StatusCode.NOT_FOUND
        for shown in (metadata("observe"), metadata("mine")):
            assert check(pool, timeout=60, metadata=shown).status == serves

    run()


# ---- The end ------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["SIGTERM", "grpc"])
def test_a_drain_ends_what_was_admitted_and_tells_watchers(start, made, tmp_path, by):
    daemon = start()
    url = daemon.urls()[0]
    path = tmp_path / "waits"

    def run() -> None:
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        p = Peer(url, made)
        watch = health_pb2_grpc.HealthStub(p.channel).Watch(
            health_pb2.HealthCheckRequest()
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        call = p.stub.Call.future(p.request("wait", {"path": str(path)}))
        eventually(path.exists, "that the tool runs")
        if by == "grpc":
            p.stub.Drain(p.pb.DrainRequest(), timeout=60)
        else:
            os.kill(daemon.popen.pid, signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        error = p.error(next, watch)
        assert error.code() == p.grpc.StatusCode.UNAVAILABLE
        pathlib.Path(f"{path}.enough").touch()
        assert json.loads(call.result(60).result.json) == "enough"

    with beside(run):
        pass
    assert daemon.wait() == 0


@pytest.fixture
def metrics_url(client: Client) -> str:
    return client.daemon.urls()[0] + "/metrics"


@apart
def test_answers_are_counted_by_their_code(peer, metrics_url):
    def count(code: str) -> int:
        with urllib.request.urlopen(metrics_url, timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        end = f',code="{code}"}} '
        named = [
            line for line in lines if "grpc_answers_total{" in line and end in line
        ]
        return sum(int(line.rsplit(" ", 1)[1]) for line in named)

    p = peer()
    before = count("OK"), count("UNIMPLEMENTED")
    for _ in range(3):
        p.call("add", {"a": 1, "b": 2})
    p.error(p.call, "made_up")
    assert (count("OK"), count("UNIMPLEMENTED")) == (before[0] + 3, before[1] + 1)
