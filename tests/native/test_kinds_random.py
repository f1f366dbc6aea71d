# SPDX-License-Identifier: MIT
"""Any value of a kind comes back as the documentation says."""

import dataclasses
import datetime
import decimal
import uuid

import pytest

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kinds import UTC, Point, crossed, marker

settings.register_profile("kinds", deadline=None, max_examples=300)
settings.load_profile("kinds")


@given(value=st.datetimes(timezones=st.none() | st.just(UTC)))
def test_datetimes_come_back(codec, value):
    assert datetime.datetime.fromisoformat(crossed(codec, value)) == value


@given(value=st.dates())
def test_dates_come_back(codec, value):
    assert datetime.date.fromisoformat(crossed(codec, value)) == value


@given(value=st.times())
def test_times_come_back(codec, value):
    assert datetime.time.fromisoformat(crossed(codec, value)) == value


YEARS = datetime.timedelta(days=270 * 365)


@given(value=st.timedeltas(-YEARS, YEARS))
def test_timedeltas_come_back(codec, value):
    assert datetime.timedelta(seconds=crossed(codec, value)) == value


@given(value=st.decimals(allow_nan=False))
def test_decimals_come_back(codec, value):
    back = decimal.Decimal(crossed(codec, value))
    assert back.as_tuple() == value.as_tuple()


@given(value=st.uuids())
def test_uuids_come_back(codec, value):
    assert uuid.UUID(crossed(codec, value)) == value


@given(value=st.sets(st.integers(-(2**63), 2**64 - 1) | st.text()))
def test_sets_come_back(codec, value):
    back = crossed(codec, value)
    assert len(back) == len(value)
    assert set(back) == value
    assert set(crossed(codec, frozenset(value))) == value


@given(value=st.recursive(st.integers(0, 9), lambda i: st.builds(Point, i, i)))
def test_dataclasses_are_maps(codec, value):
    back = crossed(codec, value)
    assert back == (dataclasses.asdict(value) if type(value) is Point else value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5)
    ),
    max_leaves=20,
)


def marked(value):
    if isinstance(value, list):
        return [marked(item) for item in value]
    if isinstance(value, dict):
        return {key: marked(item) for key, item in value.items()}
    if type(value) is object:
        return marker("object")
    if type(value) is int and not -(2**63) <= value < 2**64:
        return marker("int")
    return value


@given(value=json_like)
def test_all_but_the_marked_values_are_there(codec, value):
    codec.on_unserialisable(1)
    try:
        assert crossed(codec, value) == marked(value)
    finally:
        codec.on_unserialisable(0)
