# SPDX-License-Identifier: MIT
"""Writes down which lines of the bridge run, of each process that imports this.

tools/coverage has every process of its environments import it. coverage.py keeps a
database open, which a worker cannot be forked with, and writes it at the end, which a
worker that is killed has not. Here a line is appended to a file when it runs for the
first time, and nothing stays open.
"""

import os
import sys

BRIDGE = "/snakepit_bridge/"


def count_into(file: str) -> None:
    """Appends `path:line` to `file`, with a path below the package, from now on."""
    # What tests replace in these modules is not for this.
    open_file, write, close = os.open, os.write, os.close
    done = sys.monitoring.DISABLE
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC

    def on_line(code, line):
        _, found, name = code.co_filename.rpartition(BRIDGE)
        if found:
            try:
                descriptor = open_file(file, flags, 0o666)
            except OSError:
                return None  # a sandbox, or a limit of the test: perhaps the next time
            write(descriptor, f"{name}:{line}\n".encode())
            close(descriptor)
        return done

    tool, event = sys.monitoring.COVERAGE_ID, sys.monitoring.events.LINE
    sys.monitoring.use_tool_id(tool, "lines of the bridge")
    sys.monitoring.register_callback(tool, event, on_line)
    sys.monitoring.set_events(tool, event)


# Of 3.12 and later; what older ones have is sys.settrace(), which is for tests to use.
if hasattr(sys, "monitoring") and "COUNT_LINES_INTO" in os.environ:
    count_into(os.environ["COUNT_LINES_INTO"])
