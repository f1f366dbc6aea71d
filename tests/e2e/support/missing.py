# SPDX-License-Identifier: MIT
"""What others have made, and what is not on every machine. A file of tests that found
something missing, and in which none has failed, ends with a status of its own: by that,
and not by what is printed, ctest knows that it was skipped.
"""

from __future__ import annotations

from typing import NoReturn

import pytest

STATUS = 77  # SKIP_RETURN_CODE of such tests

_missing: list[str] = []


def missing(what: str) -> NoReturn:
    """Skips the test."""
    _missing.append(what)
    pytest.skip(f"{what} is not installed")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A hook for the conftest.py of such tests."""
    if _missing and exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = STATUS
