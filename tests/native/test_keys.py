# SPDX-License-Identifier: MIT
"""Keys that differ in Python and arrive as the same."""

import collections
import datetime
import decimal
import enum
import uuid

import pytest
from snakepit_bridge import standalone_values

DAY = datetime.date(2020, 1, 1)


class Number(enum.Enum):
    ONE = 1
    TEXT = "a"


TWICE = [
    ({"2020-01-01": 1, DAY: 2}, "'2020-01-01'"),
    ({DAY: 1, "2020-01-01": 2}, "'2020-01-01'"),
    ({1: 3, Number.ONE: 4}, "1"),
    ({Number.ONE: 4, 1.0: 3}, "1.0"),
    ({Number.TEXT: 1, 0: 2, "a": 3}, "'a'"),
    ({decimal.Decimal("NaN"): 1, decimal.Decimal("-NaN").copy_abs(): 2}, "'NaN'"),
    ({uuid.UUID(int=1): 1, str(uuid.UUID(int=1)): 2}, repr(str(uuid.UUID(int=1)))),
    ({datetime.timedelta(seconds=1): 1, 1: 2}, "1"),
    ({Number.ONE: 1, datetime.timedelta(seconds=1): 2}, "1.0"),
    (collections.OrderedDict([("a", 1), (Number.TEXT, 2)]), "'a'"),
]
ONCE = [
    {"2020-01-02": 1, DAY: 2},
    {1: 1, "1": 2, b"1": 3, None: 4, 2.5: 5},
    {True: 1, "True": 2, decimal.Decimal("1"): 3},
    {Number.TEXT: 1, Number.ONE: 2, DAY: 3, uuid.UUID(int=1): 4},
    {datetime.timedelta(seconds=index): index for index in range(1000)},
]


@pytest.mark.parametrize(("value", "key"), TWICE)
@pytest.mark.parametrize(
    ("purpose", "place"), [("result", "result[1]['a']"), ("session", "a")]
)
def test_two_keys_that_arrive_as_one_are_refused(executor, value, key, purpose, place):
    with pytest.raises(ValueError) as error:
        executor.encode(["put", {"a": value}], 2048, purpose)
    text = f"two keys arrive as {key} at {place}; make them differ"
    assert str(error.value) == text


@pytest.mark.parametrize(("value", "key"), TWICE)
def test_tests_outside_of_a_worker_are_refused_them_too(value, key):
    with pytest.raises(ValueError, match=r"two keys arrive as .*; make them differ"):
        standalone_values.kept(value)


@pytest.mark.parametrize("value", ONCE)
def test_keys_that_stay_apart_cross(executor, value):
    found = executor.decode(executor.encode(value)[0])
    assert list(found.values()) == list(value.values())
    assert found == standalone_values.kept(value)


def test_lists_as_keys_are_not_compared(executor):
    data = executor.encode({(1, 2): 1, frozenset([3]): 2, DAY: 3})[0]
    assert data[0] == 0x83
