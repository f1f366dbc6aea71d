# SPDX-License-Identifier: MIT
"""Schemathesis makes requests of the OpenAPI document, valid and not, and compares what
comes back with it.
"""

from __future__ import annotations

import pathlib

from conftest import peer, say

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


def test_what_the_document_says_is_so(url: str, tmp_path: pathlib.Path):
    say(
        peer("schemathesis"),
        "run",
        f"{url}/openapi.json",
        "--checks",
        "all",
        "--exclude-checks",
        ",".join(EXCEPTIONS),
        "--exclude-path-regex",
        "(:reload|:recycle|:retry|:resize|:drain)$",
        "--max-examples",
        "15",
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--no-color",
        cwd=tmp_path,
        timeout=800,
    )
