# SPDX-License-Identifier: MIT
"""Code that runs in a process of its own: libraries that keep threads and descriptors
do not get into the census of the tests.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from typing import Any


class Apart:
    """A forked process that runs one function, and ends."""

    def __init__(
        self, function: Callable[..., None], *args: Any, **kwargs: Any
    ) -> None:
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reader)
            self._run(writer, functools.partial(function, *args, **kwargs))
        os.close(writer)

    @staticmethod
    def _run(writer: int, function: Callable[[], None]) -> None:
        text = b""
        try:
            function()
        except BaseException:
            text = traceback.format_exc().encode()[-4000:]
        finally:
            os.write(writer, text)
            os._exit(1 if text else 0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def join(self) -> str:
        """Waits for its end. Why it failed; "" if it has not."""
        with open(self.reader, "rb") as reader:
            text = reader.read().decode()
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return text or ("" if status == 0 else f"it ended with status {status}")


@contextlib.contextmanager
def beside(function: Callable[..., None], *args: Any) -> Iterator[Apart]:
    """Runs the function beside what the test does meanwhile, and waits for its end."""
    other = Apart(function, *args)
    try:
        yield other
    except BaseException:
        if other.pid != 0:
            other.kill()
            other.join()
        raise
    if other.pid != 0:
        failure = other.join()
        assert not failure, failure


def apart(test: Callable[..., None]) -> Callable[..., None]:
    """A test whose body runs in a process of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        failure = Apart(test, *args, **kwargs).join()
        assert not failure, failure

    return run
