# SPDX-License-Identifier: MIT
"""Calls of mixed kinds through a door, each of which knows what may be answered. A door
is a class such as HttpDoor; what the calls are does not depend on it.

`python -m support.chaos URL SEED` calls without end, to be killed in the middle of it;
it exits with 1 at the first answer that is wrong. With FIRST and LAST it makes the
calls of these numbers by gRPC.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import http.client
import json
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy

from .waiting import Deadline

# What a call may be told whose worker, template or daemon was killed.
DIED = {"WORKER_DIED", "WORKER_LOST", "POOL_DOWN", "SESSION_LOST", "DAEMON_LOST"}
POOL = "chaos"
PAUSE = 0.05  # seconds, shorter than Retry-After can say


class Fault(Exception):
    """An answer that is a fault: its name, and its sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name}: {sentence}")
        self.name = name
        self.sentence = sentence


class Door(Protocol):
    """One client, which asks one thing at a time."""

    def call(self, tool: str, arguments: dict[str, Any], **options: Any) -> Any:
        """The result. Options: session, name, timeout_ms."""

    def double(self, array: numpy.ndarray) -> numpy.ndarray:
        """The result of `double`, as tensors are sent."""

    def stream(self, tool: str, arguments: dict[str, Any]) -> Iterator[Any]:
        """The chunks, and last what the tool returned, as {"result": ...}."""

    def leave(self, tool: str, arguments: dict[str, Any]) -> None:
        """Begins a call and goes away."""

    def cancel(self, name: str) -> None:
        """Of a call that another client has named."""

    def put(self, session: str, key: str, value: Any) -> None: ...

    def get(self, session: str, key: str) -> Any: ...

    def end_session(self, session: str) -> None: ...

    def again(self) -> Door:
        """Another client of the same daemon."""

    def close(self) -> None: ...


# ---- HTTP/1.1 -----------------------------------------------------------------------


class HttpDoor:
    """JSON on one connection, which is kept as long as the daemon keeps it."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)

    def _ask(self, method: str, path: str, body: Any, **fields: str):
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            fields.setdefault("Content-Type", "application/json")
        self.http.request(method, path, data, fields)
        return self.http.getresponse()

    def _value(self, method: str, path: str, body: Any = None, **fields: str) -> Any:
        answer = self._ask(method, path, body, **fields)
        data = answer.read()
        value = json.loads(data) if data else None
        if answer.status >= 400:
            raise fault_of(answer.status, value)
        return value

    def call(self, tool: str, arguments: dict[str, Any], **options: Any) -> Any:
        names = {
            "session": "Snakepit-Session",
            "name": "Snakepit-Call-Id",
            "timeout_ms": "Snakepit-Timeout-Ms",
        }
        fields = {names[key]: str(value) for key, value in options.items()}
        return self._value("POST", path_of(tool), arguments, **fields)

    def double(self, array: numpy.ndarray) -> numpy.ndarray:
        data = base64.b64encode(array.tobytes()).decode()
        tensor = {"dtype": array.dtype.name, "shape": [*array.shape], "data": data}
        value = self.call("double", {"array": {"$tensor": tensor}})["$tensor"]
        found = numpy.frombuffer(base64.b64decode(value["data"]), value["dtype"])
        return found.reshape(value["shape"])

    def stream(self, tool: str, arguments: dict[str, Any]) -> Iterator[Any]:
        answer = self._ask("POST", path_of(tool), arguments, Accept="text/event-stream")
        if answer.status >= 400:
            raise fault_of(answer.status, json.loads(answer.read()))
        name = "message"
        for line in answer:
            key, _, text = line.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = text
            elif key == "data" and name == "error":
                answer.read()  # its end, or the connection could not be used again
                raise fault_of(200, json.loads(text))
            elif key == "data":
                yield json.loads(text)
                name = "message"

    def leave(self, tool: str, arguments: dict[str, Any]) -> None:
        body = json.dumps(arguments).encode()
        fields = {"Content-Type": "application/json"}
        self.http.request("POST", path_of(tool), body, fields)
        self.http.close()

    def cancel(self, name: str) -> None:
        self._value("DELETE", f"/v1/calls/{name}")

    def put(self, session: str, key: str, value: Any) -> None:
        self._value("PUT", f"/v1/sessions/{session}/values/{key}", value)

    def get(self, session: str, key: str) -> Any:
        return self._value("GET", f"/v1/sessions/{session}/values/{key}")

    def end_session(self, session: str) -> None:
        self._value("DELETE", f"/v1/sessions/{session}")

    def again(self) -> HttpDoor:
        return type(self)(self.url)

    def close(self) -> None:
        self.http.close()


class PackedDoor(HttpDoor):
    """The same with MessagePack. What it packs is small."""

    def call(self, tool: str, arguments: dict[str, Any], **options: Any) -> Any:
        if tool != "echo" or options or "values" in arguments:
            return super().call(tool, arguments, **options)
        data = pack(arguments)
        kind = "application/msgpack"
        self.http.request(
            "POST", path_of(tool), data, {"Content-Type": kind, "Accept": kind}
        )
        answer = self.http.getresponse()
        body = answer.read()
        if answer.status >= 400:
            raise fault_of(answer.status, json.loads(body))
        return arguments if body == data else body


def path_of(tool: str) -> str:
    return f"/v1/pools/{POOL}/tools/{tool}"


def fault_of(status: int, document: Any) -> Fault:
    error = document.get("error") or {"name": str(status)}
    return Fault(error["name"], document.get("detail", ""))


def pack(arguments: dict[str, Any]) -> bytes:
    """Texts of at most 31 bytes, and integers of 32 bits, as the bridge packs them."""
    out = bytes([0x80 + len(arguments)])
    for key, value in arguments.items():
        out += pack_text(key)
        out += pack_text(value) if isinstance(value, str) else pack_number(value)
    return out


def pack_text(text: str) -> bytes:
    return bytes([0xA0 + len(text)]) + text.encode()


def pack_number(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    for code, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4)):
        if number < 1 << (8 * size):
            return bytes([code]) + number.to_bytes(size, "big")
    raise OverflowError(number)


# ---- gRPC ---------------------------------------------------------------------------


class GrpcDoor:
    """grpcio on one connection, for processes of their own: it keeps threads. What
    protoc has made of the contract is in $CHAOS_STUBS.
    """

    def __init__(self, url: str) -> None:
        sys.path.insert(0, os.environ["CHAOS_STUBS"])
        import grpc
        from snakepit.v1 import snakepit_pb2, snakepit_pb2_grpc

        self.url = url
        self.grpc = grpc
        self.pb = snakepit_pb2
        limits = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
        self.channel = grpc.insecure_channel(
            url.removeprefix("http://"),
            options=[
                *((limit, -1) for limit in limits),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self.stub = snakepit_pb2_grpc.SnakepitStub(self.channel)

    def _payload(self, value: Any) -> Any:
        return self.pb.Payload(json=json.dumps(value).encode())

    def _request(self, tool: str, arguments: dict[str, Any], **fields: Any) -> Any:
        return self.pb.CallRequest(
            pool=POOL, tool=tool, arguments=self._payload(arguments), **fields
        )

    def _do(self, method: str, request: Any, timeout: float = 120) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=timeout)
        except self.grpc.RpcError as error:
            raise self._fault_of(error) from None

    def _fault_of(self, error: Any) -> Fault:
        from grpc_status import rpc_status

        fault, status = self.pb.Fault(), rpc_status.from_call(error)
        if status is None or not (status.details and status.details[0].Unpack(fault)):
            return Fault(error.code().name, error.details())
        sentence = f"{fault.type}: {fault.message}" if fault.type else fault.message
        return Fault(fault.name, sentence)

    def call(self, tool: str, arguments: dict[str, Any], **options: Any) -> Any:
        fields = {"session": "session", "name": "call_id"}
        said = {fields[key]: options[key] for key in fields if key in options}
        seconds = options.get("timeout_ms", 120_000) / 1000
        answer = self._do("Call", self._request(tool, arguments, **said), seconds)
        return json.loads(answer.result.json)

    def double(self, array: numpy.ndarray) -> numpy.ndarray:
        tensor = self.pb.Tensor(
            dtype=array.dtype.name, shape=array.shape, data=array.tobytes()
        )
        payload = self.pb.Payload(tensors={"array": tensor})
        request = self.pb.CallRequest(pool=POOL, tool="double", arguments=payload)
        (found,) = self._do("Call", request).result.tensors.values()
        return numpy.frombuffer(found.data, found.dtype).reshape(found.shape)

    def stream(self, tool: str, arguments: dict[str, Any]) -> Iterator[Any]:
        call = self.stub.Stream(self._request(tool, arguments), timeout=120)
        try:
            for message in call:
                if message.HasField("chunk"):
                    yield json.loads(message.chunk.json)
                else:
                    yield {"result": json.loads(message.result.json)}
        except self.grpc.RpcError as error:
            raise self._fault_of(error) from None
        finally:
            call.cancel()

    def leave(self, tool: str, arguments: dict[str, Any]) -> None:
        other = self.again()
        other.stub.Call.future(self._request(tool, arguments), timeout=120)
        other.close()

    def cancel(self, name: str) -> None:
        self._do("Cancel", self.pb.CancelRequest(call_id=name))

    def put(self, session: str, key: str, value: Any) -> None:
        self._do(
            "PutValue",
            self.pb.PutValueRequest(
                session=session, key=key, value=self._payload(value)
            ),
        )

    def get(self, session: str, key: str) -> Any:
        request = self.pb.GetValueRequest(
            session=session, key=key, form=self.pb.FORM_JSON
        )
        return json.loads(self._do("GetValue", request).value.json)

    def end_session(self, session: str) -> None:
        self._do("EndSession", self.pb.EndSessionRequest(session=session))

    def again(self) -> GrpcDoor:
        return type(self)(self.url)

    def close(self) -> None:
        self.channel.close()


DOORS: list[type] = [HttpDoor, PackedDoor]


# ---- Kinds of calls -----------------------------------------------------------------


def is_right(found: Any, wanted: Any) -> None:
    assert found == wanted, f"{found!r:.300} is not {wanted!r:.300}"


def small(door: Door, mark: int) -> None:
    arguments = {"mark": mark, "text": f"call {mark}"}
    is_right(door.call("echo", arguments), arguments)


def large(door: Door, mark: int) -> None:
    """Read and written beside the loop."""
    arguments = {"mark": mark, "values": ["x" * 1000] * 1200}
    is_right(door.call("echo", arguments), arguments)


def tensor(door: Door, mark: int) -> None:
    array = numpy.arange(mark % 5000, dtype=numpy.float32).reshape(-1, 1)
    assert (door.double(array) == array * 2).all()


def batch(door: Door, mark: int) -> None:
    is_right(door.call("twice", {"x": mark}), 2 * mark)


def stream(door: Door, mark: int) -> None:
    n = mark % 200
    wanted = [*range(mark, mark + n), {"result": n}]
    got: list[Any] = []
    try:
        got.extend(door.stream("count", {"start": mark, "n": n}))
    finally:
        is_right(got, wanted[: len(got)])
    is_right(len(got), n + 1)


def half_a_stream(door: Door, mark: int) -> None:
    """Its client goes while there is more."""
    with contextlib.closing(door.again()) as other:
        chunks = other.stream("count", {"start": mark, "n": 1_000_000})
        for i in range(mark % 5):
            is_right(next(chunks), mark + i)


def session(door: Door, mark: int) -> None:
    name = f"s{mark}"
    door.put(name, "k", mark)
    try:
        is_right(door.get(name, "k"), mark)
        is_right(door.call("kept", {"key": "k"}, session=name), mark)
    finally:
        door.end_session(name)


def failure(door: Door, mark: int) -> None:
    try:
        door.call("fail", {"message": f"no {mark}"})
    except Fault as fault:
        if fault.name in DIED:
            raise
        is_right(str(fault), f"TOOL_FAILED: ValueError: no {mark}")
    else:
        raise AssertionError("it did not fail")


def unknown(door: Door, mark: int) -> None:
    try:
        door.call(f"no_such_{mark}", {})
    except Fault as fault:
        if fault.name not in DIED:
            is_right(fault.name, "UNKNOWN_TOOL")
    else:
        raise AssertionError("there is such a tool")


def late(door: Door, mark: int) -> None:
    try:
        door.call("slow", {"ms": 500}, timeout_ms=1 + mark % 20)
    except Fault as fault:
        if fault.name not in DIED:
            is_right(fault.name, "DEADLINE_EXCEEDED")
    else:
        raise AssertionError("it was in time")


def slow(door: Door, mark: int) -> None:
    ms = mark % 30
    is_right(door.call("slow", {"ms": ms}), ms)


def cancelled(door: Door, mark: int) -> None:
    """By name, from another client, maybe too early or too late."""
    import threading

    def cancel() -> None:
        with contextlib.closing(door.again()) as other, contextlib.suppress(Fault):
            other.cancel(f"c{mark}")

    thread = threading.Timer(mark % 10 / 1000, cancel)
    thread.start()
    try:
        is_right(door.call("slow", {"ms": 20}, name=f"c{mark}"), 20)
    except Fault as fault:
        if fault.name not in DIED:
            is_right(fault.name, "CANCELLED")
    finally:
        thread.join()


def left(door: Door, mark: int) -> None:
    door.leave("slow", {"ms": mark % 100})


KINDS = [
    *[small] * 8,
    *[batch, stream, session, tensor] * 3,
    *[failure, slow, cancelled, left, unknown] * 2,
    late,
    half_a_stream,
    large,
]


def call(door: Door, seed: int, mark: int) -> str:
    """Makes the call of that number; gives what became of it. AssertionError: what it
    was answered is wrong. While the pool is down it asks again, as it is told to.
    """
    deadline = Deadline(30)
    while (end := _call_once(door, seed, mark)) == "POOL_DOWN" and not deadline.over:
        time.sleep(PAUSE)
    return end


def kind_of(seed: int, mark: int) -> Callable[[Door, int], None]:
    """What the call of that number is."""
    return random.Random(f"{seed} {mark}").choice(KINDS)


def _call_once(door: Door, seed: int, mark: int) -> str:
    kind = kind_of(seed, mark)
    try:
        kind(door, mark)
    except Fault as fault:
        assert fault.name in DIED, f"{kind.__name__}: {fault}"
        return fault.name
    except (OSError, http.client.HTTPException) as error:
        raise AssertionError(f"{kind.__name__}: {error!r}") from error
    return kind.__name__


def call_by_grpc(url: str, seed: int, marks: range) -> None:
    """Makes these calls, and says as JSON what became of them."""
    ends: collections.Counter[str] = collections.Counter()
    wrong = []
    with contextlib.closing(GrpcDoor(url)) as door:
        for mark in marks:
            try:
                ends[call(door, seed, mark)] += 1
            except Exception as error:  # is told by the test
                wrong.append(f"call {mark} by gRPC: {error!r}")
    print(json.dumps({"ends": ends, "wrong": wrong}))


def main(url: str, seed: int) -> None:
    doors = [*DOORS, GrpcDoor] if "CHAOS_STUBS" in os.environ else DOORS
    door = random.Random(seed).choice(doors)(url)
    mark = 10_000_000 + seed * 100_000  # names that nobody else gives
    while True:
        try:
            call(door, seed, mark)
        except AssertionError as error:
            if isinstance(error.__cause__, (socket.error, http.client.HTTPException)):
                sys.exit(0)  # the daemon ends
            print(error, file=sys.stderr)
            sys.exit(1)
        mark += 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(sys.argv[1], int(sys.argv[2]))
    else:
        first, last = map(int, sys.argv[3:])
        call_by_grpc(sys.argv[1], int(sys.argv[2]), range(first, last))
