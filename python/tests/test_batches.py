# SPDX-License-Identifier: MIT
"""Tools that take many calls at once, without a worker."""

import pytest
from snakepit_bridge import BaseAdapter, batches, resolution, tool
from snakepit_bridge.errors import AdapterError

numpy = pytest.importorskip("numpy")


def run(function, *calls):
    return batches.Batched(function)(list(calls))


# ---- What @tool takes ----------------------------------------------------------------


def test_a_number_is_that_of_calls_and_a_map_says_both():
    assert vars(batches.terms_of(32)) == {"max_batch": 32, "batch_wait_us": 0}
    given = {"max_batch": 2, "batch_wait_us": 500}
    assert vars(batches.terms_of(given)) == given


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (1, ValueError, "max_batch is 2 to 1024, not 1"),
        (2000, ValueError, "max_batch is 2 to 1024, not 2000"),
        (True, TypeError, "max_batch is a whole number, not bool"),
        ({"max_batch": 2.5}, TypeError, "max_batch is a whole number, not float"),
        ({"max_batch": 2, "batch_wait_us": -1}, ValueError, "0 to 100000, not -1"),
        ({"batch_wait_us": 5}, ValueError, "max_batch is missing"),
        ({"max_batch": 2, "wait": 5}, ValueError, "batch_wait_us, not 'wait'"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(given, error, message):
    with pytest.raises(error, match=message):
        tool(batch=given)


class Adapter(BaseAdapter):
    @tool(batch={"max_batch": 4, "batch_wait_us": 7})
    def many(self, x):
        return x

    @tool
    def one(self, x):
        return x


def test_the_answers_of_an_adapter_say_which_take_many():
    answers = resolution.of_instance(Adapter())
    assert {name: vars(terms) for name, terms in answers.batched.items()} == {
        "many": {"max_batch": 4, "batch_wait_us": 7}
    }
    found = {metadata.name: metadata.max_batch for metadata in answers.tools}
    assert found == {"many": 4, "one": 1}


def test_one_that_streams_cannot_take_many():
    class Wrong(BaseAdapter):
        @tool(batch=4)
        def stream(self, x):
            yield x

    with pytest.raises(AdapterError, match="'stream' of Wrong has batch and is a gen"):
        resolution.of_instance(Wrong())


# ---- What a tool gets and gives ------------------------------------------------------


def test_each_parameter_is_a_list_of_the_values():
    seen = []

    def add(x, y):
        seen.append((x, y))
        return [one + other for one, other in zip(x, y)]

    assert run(add, {"x": 1, "y": 2}, {"y": 4, "x": 3}) == [3, 7]
    assert seen == [([1, 3], [2, 4])]


def test_calls_with_other_arguments_are_batches_of_their_own():
    seen = []

    def scale(x, by=(2,)):
        seen.append(len(x))
        return [one * by[0] for one in x]

    assert run(scale, {"x": 1}, {"x": 2, "by": 5}, {"x": 3}) == [2, 10, 6]
    assert seen == [2, 1]


def test_arrays_are_stacked_with_their_equals():
    seen = []

    def total(x):
        seen.append(x)
        return x.sum(axis=1)

    calls = [{"x": numpy.full(size, 2.0)} for size in (3, 2, 3)]
    assert run(total, *calls) == [6.0, 4.0, 6.0]
    assert [one.shape for one in seen] == [(2, 3), (1, 2)]


def test_without_numpy_they_are_a_list(monkeypatch):
    monkeypatch.setattr(batches.arrays, "found_numpy", lambda: None)
    assert run(lambda x: [type(x)] * len(x), {"x": numpy.ones(2)}) == [list]


def test_what_numpy_cannot_stack_stays_a_list(monkeypatch):
    class Other:
        dtype, shape = "bfloat16", (2,)

        def __array__(self, dtype=None, copy=None):
            raise TypeError("not here")

    values = [Other(), Other()]
    assert run(lambda x: [x is not None] * 2, *({"x": one} for one in values)) == [
        True,
        True,
    ]


def test_calls_without_arguments_have_nothing_to_count():
    assert run(lambda: [1], {}) == [1]
    assert run(lambda: [1], {}, {}) == [1, 1]  # each runs by itself


@pytest.mark.parametrize("given", [(1, 2), [1, 2], numpy.array([1, 2])])
def test_a_list_a_tuple_or_an_array_are_results(given):
    assert run(lambda x: given, {"x": 0}, {"x": 0}) == [1, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({1: 1, 2: 2}, "not dict"),
        ("ab", "not str"),
        (None, "not NoneType"),
        ([1], "of 2 calls it returned 1"),
    ],
)
def test_anything_else_fails_each(given, message):
    for error in run(lambda x: given, {"x": 0}, {"x": 0}):
        assert isinstance(error, AdapterError)
        assert message in str(error)


def test_an_exception_is_the_result_of_each():
    def fails(x):
        raise ValueError("no")

    first, second = run(fails, {"x": 0}, {"x": 1})
    assert isinstance(first, ValueError)
    assert first is second


def test_what_is_no_exception_is_raised():
    def stops(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stops, {"x": 0})
