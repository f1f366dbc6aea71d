# SPDX-License-Identifier: MIT
"""h2spec finds HTTP/2 as its RFC says, but for what is listed here with its reason."""

from __future__ import annotations

import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

from conftest import peer

CLOSED = "ignored, as section 5.1 of RFC 9113 allows: nghttp2 keeps no closed streams"
PRIORITY = "ignored: RFC 9113 has no dependencies of streams any more"
EXCEPTIONS = {
    "Sends invalid connection preface": "without TLS it is HTTP/1.1 then, and gets 400",
    "closed: Sends a DATA frame after sending RST_STREAM frame": CLOSED,
    "closed: Sends a HEADERS frame after sending RST_STREAM frame": CLOSED,
    "closed: Sends a DATA frame": CLOSED,
    "closed: Sends a HEADERS frame": CLOSED,
    "Sends stream identifier that is numerically smaller than previous": (
        "ignored: nghttp2 cannot tell it from a closed stream's, nor can nghttpd"
    ),
    "Sends PRIORITY frame that depend on itself": PRIORITY,
    "Sends a PRIORITY frame with 0x0 stream identifier": PRIORITY,
}


def test_h2spec_is_content(url, tmp_path: pathlib.Path):
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            peer("h2spec"),
            *("http2", "hpack", "generic"),
            *("-h", "127.0.0.1", "-p", url.rpartition(":")[2], "-P", "/livez"),
            *("-o", "5", "-j", str(report)),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) > 140, done.stdout
    failed = {
        case.get("classname")
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    assert failed == set(EXCEPTIONS), done.stdout
