# SPDX-License-Identifier: MIT
"""A host of the original, made of grpcio. It is for processes of their own: see
apart.py.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

STRING_VALUE = "type.googleapis.com/google.protobuf.StringValue"


class Host:
    """What a host asks of its worker."""

    def __init__(self, url: str, made: pathlib.Path) -> None:
        sys.path.insert(0, str(made))
        import grpc
        import snakepit_bridge_pb2
        import snakepit_bridge_pb2_grpc

        self.grpc = grpc
        self.pb = snakepit_bridge_pb2
        channel = grpc.insecure_channel(url.removeprefix("http://"))
        self.stub = snakepit_bridge_pb2_grpc.BridgeServiceStub(channel)

    def any(self, value: Any, packed: bool = False) -> Any:
        from google.protobuf import any_pb2, wrappers_pb2

        text = json.dumps(value)
        if packed:
            one = any_pb2.Any()
            one.Pack(wrappers_pb2.StringValue(value=text))
            return one
        return any_pb2.Any(type_url=STRING_VALUE, value=text.encode())

    def request(self, tool: str, /, packed: bool = False, **arguments: Any) -> Any:
        parameters = {key: self.any(one, packed) for key, one in arguments.items()}
        return self.pb.ExecuteToolRequest(
            session_id="s", tool_name=tool, parameters=parameters
        )

    def execute(self, tool: str, /, packed: bool = False, **arguments: Any) -> Any:
        request = self.request(tool, packed, **arguments)
        return self.stub.ExecuteTool(request, timeout=60)
