# SPDX-License-Identifier: MIT
"""gRPC's own interop client, with the test service that it calls in tests/peers/server.

Left out are the cases that need accounts of a cloud (`*_creds`, `*_credentials`,
`oauth2_auth_token`), and those of ORCA, load reports that are not served here.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest
from conftest import BUILD, peer, say

CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "pick_first_unary",
    "rpc_soak",
    "channel_soak",
]


def port_in(message: bytes) -> int:
    """That of a ServerCompatResponse: a varint with its tag, behind the host."""
    digits = message[3 + message[1] :]
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(digits))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """That of a server with the test service."""
    with subprocess.Popen(
        [BUILD / "bin/grpc_peer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        try:
            server.stdin.write(bytes(4))  # an empty request: without TLS
            server.stdin.close()
            size = int.from_bytes(server.stdout.read(4), "big")
            yield port_in(server.stdout.read(size))
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
        finally:
            server.kill()


def ask(port: int, case: str, *more: str) -> None:
    say(
        peer("grpc_interop_client"),
        "--server_host=127.0.0.1",
        f"--server_port={port}",
        f"--test_case={case}",
        *more,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_interop_client_is_content(port, case):
    ask(port, case, "--soak_overall_timeout_seconds=60")


@pytest.mark.parametrize("case", ["unimplemented_method", "unimplemented_service"])
def test_what_the_daemon_does_not_have_is_unimplemented(url, case):
    ask(int(url.rpartition(":")[2]), case)
