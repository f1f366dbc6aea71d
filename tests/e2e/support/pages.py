# SPDX-License-Identifier: MIT
"""What stands in a page of docs: its adapter and its configuration, to be served."""

from __future__ import annotations

import pathlib
import re

from .places import ROOT, SYSTEM


class Page:
    """A page by its name."""

    def __init__(self, name: str) -> None:
        self.text = (ROOT / "docs" / name).read_text()

    def block(self, kind: str) -> str:
        """What stands behind ```kind."""
        pattern = rf"^```{kind}\n(.*?)^```"
        (found,) = re.findall(pattern, self.text, re.MULTILINE | re.DOTALL)
        return found

    def config(self, folder: pathlib.Path, name: str) -> pathlib.Path:
        """Writes adapter and configuration, of a pool of that name; at any port."""
        (folder / f"{name}.py").write_text(self.block("python"))
        text = self.block("yaml").replace("127.0.0.1:8470", "127.0.0.1:0")
        pool = f"name: {name}, "
        assert pool in text
        text = text.replace(pool, f"{pool}python: {SYSTEM}, pool_size: 1, ")
        path = folder / f"{name}.yaml"
        path.write_text(text)
        return path
