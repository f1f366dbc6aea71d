#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls tools of a daemon with urllib: a call, an error, a stream, a cancel.

See README.md. For many calls take a client that keeps connections, such as
http.client with one connection for each thread.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8470"
TEXT = f"{URL}/v1/pools/text/tools"


class Failed(Exception):
    """What the daemon says of a call that failed."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        """The document of problem docs/http.md."""
        super().__init__(problem["detail"])
        self.status = status
        # Of the fault: name, retryable, message, traceback and so on. Without it HTTP
        # itself is to blame: a wrong path, a missing token.
        self.error = problem.get("error", {})


def send(method: str, url: str, arguments: Any = None, **fields: str):
    """The answer to a request, to be read and closed; Failed."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if "SNAKEPIT_TOKEN" in os.environ:
        headers["Authorization"] = f"Bearer {os.environ['SNAKEPIT_TOKEN']}"
    body = None
    if arguments is not None:
        body = json.dumps(arguments).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        return urllib.request.urlopen(request, timeout=120)
    except urllib.error.HTTPError as failed:
        with failed:
            raise Failed(failed.code, json.load(failed)) from None


def call(tool: str, arguments: dict[str, Any], **fields: str) -> Any:
    """What the tool returns."""
    with send("POST", f"{TEXT}/{tool}", arguments, **fields) as answer:
        return json.load(answer)


def stream(tool: str, arguments: dict[str, Any]) -> Iterator[Any]:
    """What the tool yields; the value of this generator is what the tool returned."""
    url = f"{TEXT}/{tool}"
    with send("POST", url, arguments, Accept="text/event-stream") as answer:
        name, data = "", ""
        for line in answer:  # closing it early cancels the call
            text = line.decode().rstrip("\r\n")
            if text.startswith("event: "):
                name = text[len("event: ") :]
            elif text.startswith("data: "):
                data += text[len("data: ") :]
            elif text == "" and data:
                value = json.loads(data)
                if name == "end":
                    return value["result"]
                if name == "error":
                    raise Failed(value["status"], value)
                yield value
                name, data = "", ""
    raise ConnectionError("the stream was cut off")


def main() -> None:
    """Prints a line for each of the four."""
    print("add:", call("add", {"a": 40, "b": 2}))

    try:
        call("no_such_tool", {})
    except Failed as failed:
        print("error:", failed.status, failed.error["name"])

    chunks = stream("count_up", {"limit": 3})
    while True:
        try:
            print("chunk:", next(chunks))
        except StopIteration as end:
            print("end:", json.dumps(end.value))
            break

    # A call that has a name can be cancelled by it. Until the daemon has begun it there
    # is none of that name (404), so it is asked again.
    name = f"py-{os.getpid()}"

    def cancel() -> None:
        while True:
            try:
                send("DELETE", f"{URL}/v1/calls/{name}").close()
                return
            except Failed:
                time.sleep(0.1)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        call("sleep", {"ms": 60000}, Snakepit_Call_Id=name)
    except Failed as failed:
        print("cancelled:", failed.error["name"])
    canceller.join()


if __name__ == "__main__":
    main()
