# SPDX-License-Identifier: MIT
"""Files of tokens, and clients that show one."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from typing import Any


def secret(name: str) -> str:
    """The token of that name: the door takes those that were made elsewhere as well."""
    return f"secret-of-{name}"


def bearer(name: str) -> dict[str, str]:
    """What a client of that name sends."""
    return {"Authorization": "Bearer " + secret(name)}


def token(name: str, *scopes: str, pools: Any = "all", **keys: str) -> dict[str, Any]:
    """An item of the file."""
    digest = hashlib.sha256(secret(name).encode()).hexdigest()
    found = {"name": name, "hash": "sha256:" + digest, "scopes": list(scopes)}
    return {**found, "pools": pools, **keys}


def write(path: pathlib.Path, text: str | list[dict[str, Any]]) -> None:
    """Whole, as a careful program does it."""
    if not isinstance(text, str):
        text = json.dumps({"tokens": text})
    new = path.with_suffix(".new")
    new.touch(0o600)
    new.write_text(text)
    os.replace(new, path)
