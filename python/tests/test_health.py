# SPDX-License-Identifier: MIT
"""Which adapters have a health check, and what it says."""

from __future__ import annotations

import pytest
from snakepit_bridge import health


class Checked:
    def health_check(self) -> bool:
        return False


class Inherits(Checked):
    pass


class TakesAway(Checked):
    health_check = None  # type: ignore[assignment]


class TakesAwayLater(Checked):
    def __init__(self) -> None:
        self.health_check = None  # type: ignore[assignment, method-assign]


def test_none_takes_an_inherited_check_away() -> None:
    assert health.is_checked(Checked)
    assert health.is_checked(Inherits)
    assert not health.is_checked(TakesAway)
    assert not health.is_checked(object)


def test_false_says_that_something_is_wrong() -> None:
    with pytest.raises(health.Unhealthy):
        health.check(Inherits())


def test_an_instance_may_have_none() -> None:
    health.check(TakesAwayLater())
