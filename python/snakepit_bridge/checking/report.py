# SPDX-License-Identifier: MIT
"""The checker's report for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TextIO

WIDTH = 70


def format_report(report: Mapping[str, Any]) -> str:
    """The lines of `ThreadSafetyChecker.get_report`, without a newline at the end."""
    lines = [
        "=" * WIDTH,
        "Thread Safety Analysis Report",
        "=" * WIDTH,
        "",
        "Execution Summary:",
        f"  Total Runtime: {report['total_runtime']:.2f}s",
        f"  Threads Detected: {report['total_threads_seen']}",
        f"  Methods Tracked: {report['total_methods_tracked']}",
        f"  Warnings Issued: {report['warnings_issued']}",
        "",
    ]
    if report["concurrent_accesses"]:
        lines += ["Concurrent Accesses Detected:"]
        lines += [
            f"  - {method}: {threads} threads"
            for method, threads in report["concurrent_accesses"].items()
        ]
        lines += [""]
    if report["warnings"]:
        lines += ["Warnings:", *(f"  - {text}" for text in report["warnings"]), ""]
    lines += ["Recommendations:"]
    lines += [f"  {text}" for text in report["recommendations"]]
    return "\n".join([*lines, "", "=" * WIDTH])


def print_report(report: Mapping[str, Any], file: TextIO | None = None) -> None:
    """Prints a report to `file` or standard output."""
    text = format_report(report)
    stream = file or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # The report has signs that a terminal of the C locale cannot show.
    print(text.encode(encoding, "replace").decode(encoding), file=stream)
