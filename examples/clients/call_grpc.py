#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls tools of a daemon over gRPC: a call, an error, a stream, a cancel.

See README.md. It takes the packages grpcio, grpcio-tools and grpcio-status, and the
contract of this checkout; a program that is installed has its stubs made by protoc.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
from grpc_status import rpc_status

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "proto"))
pb, services = grpc.protos_and_services("snakepit/v1/snakepit.proto")

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8470"
TOKEN = os.environ.get("SNAKEPIT_TOKEN")
METADATA = [("authorization", f"Bearer {TOKEN}")] if TOKEN else []


def request(tool: str, arguments: dict[str, Any], **fields: Any) -> Any:
    """Arguments as JSON; the result comes in the same form."""
    payload = pb.Payload(json=json.dumps(arguments).encode())
    return pb.CallRequest(pool="text", tool=tool, arguments=payload, **fields)


def fault_of(error: grpc.RpcError) -> Any:
    """What the daemon says of a call that failed: empty if it says nothing."""
    fault = pb.Fault()
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else []:
        if detail.Is(pb.Fault.DESCRIPTOR):
            detail.Unpack(fault)
    return fault


class Client:
    """A channel serves any number of calls at once, of any number of threads."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Keeps the channel."""
        self.stub = services.SnakepitStub(channel)

    def call(self, tool: str, arguments: dict[str, Any], **fields: Any) -> Any:
        """What the tool returns. The daemon knows the timeout, and ends the call."""
        answer = self.stub.Call(
            request(tool, arguments, **fields), timeout=120, metadata=METADATA
        )
        return json.loads(answer.result.json)

    def stream(self, tool: str, arguments: dict[str, Any]) -> Iterator[Any]:
        """What the tool yields; this generator returns what the tool returned."""
        events = self.stub.Stream(
            request(tool, arguments), timeout=120, metadata=METADATA
        )
        for event in events:  # events.cancel() cancels the call
            if event.HasField("result"):
                return json.loads(event.result.json)
            yield json.loads(event.chunk.json)
        raise ConnectionError("the stream was cut off")

    def cancel(self, call_id: str) -> bool:
        """Whether there was such a call."""
        try:
            self.stub.Cancel(
                pb.CancelRequest(call_id=call_id), timeout=120, metadata=METADATA
            )
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return True


def main() -> None:
    """Prints a line for each of the four."""
    with grpc.insecure_channel(URL.split("://")[-1]) as channel:
        client = Client(channel)
        print("add:", client.call("add", {"a": 40, "b": 2}))

        try:
            client.call("no_such_tool", {})
        except grpc.RpcError as error:
            print("error:", error.code().name, fault_of(error).name)

        chunks = client.stream("count_up", {"limit": 3})
        while True:
            try:
                print("chunk:", next(chunks))
            except StopIteration as end:
                print("end:", json.dumps(end.value))
                break

        # Until the daemon has begun the call there is none of its name, so it is asked
        # again.
        name = f"grpc-{os.getpid()}"

        def cancel() -> None:
            while not client.cancel(name):
                time.sleep(0.1)

        canceller = threading.Thread(target=cancel)
        canceller.start()
        try:
            client.call("sleep", {"ms": 60000}, call_id=name)
        except grpc.RpcError as error:
            print("cancelled:", fault_of(error).name)
        canceller.join()


if __name__ == "__main__":
    main()
