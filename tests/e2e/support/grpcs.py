# SPDX-License-Identifier: MIT
"""A client of the gRPC door, made of grpcio. It is for processes of their own: see
apart.py.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from .places import ROOT, SYSTEM

needs_grpc = pytest.mark.skipif(
    importlib.util.find_spec("grpc_tools") is None,
    reason="needs grpcio; see tools/bootstrap",
)


def stubs(
    folder: pathlib.Path, contract: str = "snakepit/v1/snakepit.proto"
) -> pathlib.Path:
    """The folder of what protoc makes of a contract of ours."""
    subprocess.run(
        [
            SYSTEM,
            "-m",
            "grpc_tools.protoc",
            f"-I{ROOT / 'proto'}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            contract,
        ],
        check=True,
    )
    return folder


class Peer:
    """Calls the daemon at a URL, and knows the messages."""

    def __init__(self, url: str, made: pathlib.Path, **options: Any) -> None:
        sys.path.insert(0, str(made))
        import grpc
        from snakepit.v1 import snakepit_pb2, snakepit_pb2_grpc

        self.grpc = grpc
        self.pb = snakepit_pb2
        address = url.removeprefix("http://")
        settings = {"grpc.max_receive_message_length": -1, **options}
        self.channel = grpc.insecure_channel(address, options=list(settings.items()))
        self.stub = snakepit_pb2_grpc.SnakepitStub(self.channel)

    def request(self, tool: str, arguments: Any = None, /, **fields: Any) -> Any:
        """A request whose arguments are JSON."""
        payload = self.pb.Payload(json=json.dumps(arguments or {}).encode())
        return self.pb.CallRequest(pool="text", tool=tool, arguments=payload, **fields)

    def call(self, tool: str, arguments: Any = None, /, **options: Any) -> Any:
        """What a call returns."""
        options.setdefault("timeout", 60)
        answer = self.stub.Call(self.request(tool, arguments), **options)
        return json.loads(answer.result.json)

    def stream(self, tool: str, arguments: Any = None, /, **options: Any) -> Any:
        """The call of a stream, which is an iterator of messages."""
        return self.stub.Stream(self.request(tool, arguments), **options)

    def error(self, function: Any, *args: Any, **options: Any) -> Any:
        """The error that a call ends with."""
        with pytest.raises(self.grpc.RpcError) as caught:
            function(*args, **options)
        return caught.value

    def fault(self, error: Any) -> Any:
        """The Fault in the details of an error."""
        from grpc_status import rpc_status

        fault = self.pb.Fault()
        status = rpc_status.from_call(error)
        assert status.details[0].Unpack(fault)
        return fault
