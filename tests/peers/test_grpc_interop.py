# SPDX-License-Identifier: MIT
"""gRPC's own interop client, as far as a server without its test service goes."""

from __future__ import annotations

import pytest
from conftest import peer, say


@pytest.mark.parametrize("case", ["unimplemented_method", "unimplemented_service"])
def test_what_is_not_there_is_unimplemented(url, case):
    host, _, port = url.removeprefix("http://").rpartition(":")
    say(
        peer("grpc_interop_client"),
        f"--server_host={host}",
        f"--server_port={port}",
        f"--test_case={case}",
    )
