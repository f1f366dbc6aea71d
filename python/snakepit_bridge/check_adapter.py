# SPDX-License-Identifier: MIT
"""``python -m snakepit_bridge.check_adapter MODULE:CLASS``, which the command
``snakepit check-adapter`` runs: pitfalls in the source text, then a short hammering of
the tools under the checker.

Exit codes: 0, nothing was found; 1, something was, or the adapter failed by itself;
2, there is no such adapter, or no worker would take it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import warnings
from dataclasses import asdict
from typing import Any

from . import (
    event_loop,
    given,
    libraries,
    life,
    loader,
    resolution,
    search_path,
    terminal,
)
from .checking import hammering
from .checking.report import format_report
from .errors import AdapterError
from .faults import describe, is_of_foreign_code
from .gil import is_gil_enabled
from .thread_safety_checker import Pitfall, ThreadSafetyChecker, find_pitfalls
from .tools import collect, collect_unbound

THREADS = 8
CALLS = 50
COUNT_MAX = 100_000
SECONDS = 10.0  # in which calls may begin
NOTHING = (
    "Nothing was exercised, so that no race can have shown. Give parameters defaults\n"
    "or annotations, or use ThreadSafetyChecker in a test of your own."
)


def main(words: list[str]) -> int:
    """Reads the command line and checks. Gives the exit code."""
    options = _parser().parse_args(words)
    search_path.add([os.getcwd()])
    for stream in (sys.stdout, sys.stderr):  # an adapter's texts may be any
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = check(options.adapter, options.threads, options.calls)
    except AdapterError as error:
        return terminal.complain(str(error), terminal.USAGE)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may well call sys.exit()
        return _failed(options.adapter, error)
    print(json.dumps(found) if options.json else as_text(found))
    return terminal.OK if found["ok"] else terminal.FAILED


def _failed(adapter: str, error: BaseException) -> int:
    """Says what the adapter has raised, with the frames of its code if it has any."""
    kind, message, traceback = describe(error)
    what = f"{kind}: {message}" if message else kind
    terminal.complain(f"{adapter}: {what}", terminal.FAILED)
    if is_of_foreign_code(error):
        print(traceback, file=sys.stderr)
    return terminal.FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snakepit check-adapter", allow_abbrev=False, description=__doc__
    )
    parser.add_argument("adapter", metavar="MODULE:CLASS")
    parser.add_argument("--threads", type=_count, default=THREADS)
    parser.add_argument("--calls", type=_count, default=CALLS)
    parser.add_argument("--json", action="store_true")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= COUNT_MAX:
        raise argparse.ArgumentTypeError(f"a number from 1 to {COUNT_MAX}, not {text}")
    return number


def check(spec: str, threads: int = THREADS, calls: int = CALLS) -> dict[str, Any]:
    """Checks the adapter that `spec` names, `calls` of each tool on each thread.

    A dict of `adapter`, `python`, `gil_enabled`, `threads`, `pitfalls`, `unread` (why
    they were not looked for), `tools` (and, by the name `hammering.NOBODYS`, what
    answers for names that are not tools), `stuck` (tools that did not come back),
    `report` (the checker's), `exercised` (whether anything came back from a call) and
    `ok`. Tools of which none was exercised are not ok. An unsafe library alone is no
    fault: it may be used as its pattern says.

    Raises AdapterError if there is no such adapter; what its code raises is raised.
    """
    adapter_class = loader.load(spec)
    loader.check_constructor(adapter_class)
    given.offer(adapter_class, "config")
    given.offer(adapter_class, "resources")
    pitfalls, unread = _read(adapter_class)
    with warnings.catch_warnings(), ThreadSafetyChecker() as checker:
        warnings.simplefilter("ignore", RuntimeWarning)  # the report has them
        checker.watch(adapter_class)
        tools, stuck = _run(adapter_class, threads, calls)
    report = checker.get_report()
    notices = {library.warning for library in libraries.known().values()}
    faults = [text for text in report["warnings"] if text not in notices]
    names = [tool for tool in tools if tool.name != hammering.NOBODYS]
    exercised = any(tool.calls > tool.errors for tool in tools)
    return {
        "adapter": spec,
        "python": ".".join(map(str, sys.version_info[:3])),
        "gil_enabled": is_gil_enabled(),
        "threads": threads,
        "pitfalls": [asdict(pitfall) for pitfall in pitfalls],
        "unread": unread,
        "tools": [tool.as_dict() for tool in tools],
        "stuck": stuck,
        "report": report,
        "exercised": exercised,
        "ok": not (pitfalls or faults or stuck or (names and not exercised)),
    }


def _read(adapter_class: type) -> tuple[list[Pitfall], str | None]:
    try:
        return find_pitfalls(adapter_class), None
    except ValueError as error:
        return [], str(error)
    except Exception as error:  # a text that reads differently from all that we know
        return [], f"its source was not understood: {type(error).__name__}: {error}"


def _run(
    adapter_class: type, threads: int, calls: int
) -> tuple[list[hammering.Tried], list[str]]:
    if resolution.is_per_request(adapter_class):
        answers = resolution.of_class(adapter_class)
        tools = hammering.tools_to_try(
            collect_unbound(adapter_class), answers.functions
        ) + hammering.fallback_to_try(answers.fallback)
        return tools, hammering.hammer(tools, threads, calls, SECONDS)
    adapter = None
    try:
        adapter = life.construct(adapter_class)
        answers = resolution.of_instance(adapter)  # raises AdapterError as in a worker
        life.initialize(adapter)
        tools = hammering.tools_to_try(
            collect(adapter), {}
        ) + hammering.fallback_to_try(answers.fallback)
        stuck = hammering.hammer(tools, threads, calls, SECONDS)
    finally:
        life.clean_up(adapter)
        event_loop.stop()
    return tools, stuck


def as_text(found: dict[str, Any]) -> str:
    """What `check` found, for people."""
    gil = "GIL" if found["gil_enabled"] else "no GIL"
    lines = [
        f"{found['adapter']} on Python {found['python']} ({gil}), "
        f"{found['threads']} threads",
        "",
        *map(_tool_line, found["tools"]),
    ]
    lines += [f"  {name}: has not come back" for name in found["stuck"]]
    idle = [tool for tool in found["tools"] if tool["calls"] == tool["errors"]]
    if idle:
        lines.append(f"  {len(idle)} of {len(found['tools'])} were not exercised")
    if found["unread"]:
        lines += ["", f"Pitfalls were not looked for: {found['unread']}"]
    if found["pitfalls"]:
        lines += ["", "Pitfalls:"]
        lines += [f"  - {Pitfall(**pitfall)}" for pitfall in found["pitfalls"]]
    end = format_report(found["report"]) if found["exercised"] else NOTHING
    return "\n".join([*lines, "", end])


def _tool_line(tool: dict[str, Any]) -> str:
    if tool["skipped"]:
        return f"  {tool['name']}: not called: {tool['skipped']}"
    name = tool["name"]
    if name == hammering.NOBODYS:
        name = f"any other name, here {name!r}"
    text = f"  {name}: {tool['calls']} calls"
    if tool["errors"]:
        text += f", {tool['errors']} raised, the first {tool['first_error']}"
    return text


def command() -> int:
    """The command, with the words of the process."""
    return terminal.finish(lambda: main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(command())
