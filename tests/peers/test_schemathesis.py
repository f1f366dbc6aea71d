# SPDX-License-Identifier: MIT
"""Schemathesis makes requests of the OpenAPI document, valid and not, and compares what
comes back with it.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

from conftest import peer, say
from support.daemon import Daemon
from support.served import Client

# Checks that are left out, with the reason for each.
EXCEPTIONS = {
    "ignored_auth": "there are no tokens here",
    "negative_data_rejection": "fields and query parameters that no row knows are "
    "ignored, as clients of later versions need",
    "positive_data_acceptance": "a tool may refuse what fits its schema",
    "unsupported_method": "OPTIONS is answered, and TRACE is any other method's 405",
    "not_a_server_error": "an argument that the schema does not allow is the tool's "
    "TypeError, and 500; JSON has integers of more than 64 bits",
}

# What these do to the daemon is no answer's business.
NOT_ASKED = "(:reload|:recycle|:retry|:resize|:drain)$"

# Schemathesis reads it, and leaves it out of what it judges.
DOCUMENT = "/openapi.json"

# Streams that never end by themselves are read until the first event, or for so long:
# there may be none. Else each such request takes ten seconds. An answer that a busy
# machine does not begin by then is asked for again.
OF_A_STREAM = """
[[operations]]
include-name = "GET {path}"
max-stream-events = 1
request-timeout = 0.25
request-retries = 5
"""


def events_alone(operation: dict[str, Any]) -> bool:
    """Whether it is answered by a stream in any case."""
    content = operation["responses"].get("200", {}).get("content", {})
    return set(content) == {"text/event-stream"}


def test_what_the_document_says_is_so(daemon: Daemon, url: str, tmp_path: pathlib.Path):
    _, document = Client(daemon).ask("GET", DOCUMENT)
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    endless = {path for path, _, operation in operations if events_alone(operation)}
    assert endless == {"/mcp", "/v1/events", "/v1/watch"}
    rules = [OF_A_STREAM.format(path=path) for path in sorted(endless)]
    (tmp_path / "schemathesis.toml").write_text("".join(rules))
    said = say(
        peer("schemathesis"),
        "run",
        url + DOCUMENT,
        "--checks",
        "all",
        "--exclude-checks",
        ",".join(EXCEPTIONS),
        "--exclude-path-regex",
        NOT_ASKED,
        "--max-examples",
        "15",
        "--continue-on-failure",
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--no-color",
        cwd=tmp_path,
        timeout=280,
    ).stdout
    asked = [
        path
        for path, _, _ in operations
        if path != DOCUMENT and not re.search(NOT_ASKED, path)
    ]
    assert f"Tested: {len(asked)}\n" in said, said
