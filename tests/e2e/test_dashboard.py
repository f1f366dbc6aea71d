# SPDX-License-Identifier: MIT
"""The files of the dashboard, as the daemon serves them. tests/browser looks at them in
a browser.
"""

from __future__ import annotations

import gzip
import re

import pytest
from support.places import ROOT

WEB = ROOT / "web"
FILES = sorted(path.name for path in WEB.iterdir() if path.suffix != ".json")
PAGE = {"Accept": "text/html,*/*;q=0.8"}
MOST = 80 * 1024


def test_all_files_are_served_as_they_are(client):
    for name in FILES:
        status, fields, body = client.whole("GET", f"/assets/{name}")
        assert (status, body) == (200, (WEB / name).read_bytes())
        packed = client.whole("GET", f"/assets/{name}", Accept_Encoding="gzip")
        assert packed[1]["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed[2]) == body
        assert packed[1]["ETag"] == fields["ETag"]


def test_they_are_small(client):
    sizes = {
        name: len(client.whole("GET", f"/assets/{name}", Accept_Encoding="gzip")[2])
        for name in FILES
    }
    assert sum(sizes.values()) <= MOST, sizes


def test_a_browser_gets_the_page(client):
    status, fields, body = client.whole("GET", "/", **PAGE)
    assert (status, body) == (200, (WEB / "index.html").read_bytes())
    assert fields["Content-Security-Policy"].startswith("default-src 'self'")
    assert client.ask("GET", "/")[1].startswith(b"Snakepit ")
    again = client.whole("GET", "/", If_None_Match=fields["ETag"], **PAGE)
    assert (again[0], again[2]) == (304, b"")
    status, _, body = client.whole("HEAD", "/", **PAGE)
    assert (status, body) == (200, b"")


def test_the_page_names_all_that_it_needs_and_only_that():
    """What is not named there is found late, one after the other."""
    page = (WEB / "index.html").read_text()
    named = set(re.findall(r'"assets/([^"]+)"', page))
    assert named == set(FILES) - {"index.html"}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("js")])
def test_nothing_in_it_needs_another_origin_or_what_the_policy_forbids(name):
    text = (WEB / name).read_text()
    assert "eval(" not in text
    assert "innerHTML" not in text
    assert 'setAttribute("style"' not in text
    assert not re.findall(r"https?://(?!www\.w3\.org/|127\.0\.0\.1)\S", text)
