# SPDX-License-Identifier: MIT
"""Values of the standard library that cross as something simpler, and markers."""

import collections
import dataclasses
import datetime
import decimal
import enum
import pathlib
import threading
import uuid

import pytest


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: object
    y: object = dataclasses.field(default=0, repr=False)
    shared: dataclasses.InitVar[int] = 5

    def __post_init__(self, shared):
        self.not_a_field = shared


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("n",)
    n: int


def crossed(codec, value):
    """What a host reads of `value`."""
    executor = codec.Executor()
    return executor.decode(executor.encode(value)[0])


UTC = datetime.timezone.utc
CROSSINGS = [
    (datetime.datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02T03:04:05.000006"),
    (datetime.datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(3, 4, 5), "03:04:05"),
    (datetime.timedelta(days=1, microseconds=1), 86400.000001),
    (decimal.Decimal("1.10"), "1.10"),
    (decimal.Decimal("NaN"), "NaN"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Colour.RED, "red"),
    (Colour.PAIR, [1, 2]),
    (Access.READ | Access.WRITE, 3),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Point(1, [Point(2)]), {"x": 1, "y": [{"x": 2, "y": 0}]}),
    (Slotted(3), {"n": 3}),
    ({1}, [1]),
    (frozenset(["a"]), ["a"]),
    (set(), []),
    (range(3), [0, 1, 2]),
    (range(0), []),
    (collections.deque([1, [2]]), [1, [2]]),
    ({"a": 1}.keys(), ["a"]),
    ({"a": 1}.values(), [1]),
    ({"a": 1}.items(), [["a", 1]]),
    ({Colour.RED: 1, datetime.date(2026, 1, 2): 2}, {"red": 1, "2026-01-02": 2}),
    ({None: 1, True: 2, 1.5: 3, b"k": 4}, {None: 1, True: 2, 1.5: 3, b"k": 4}),
]


@pytest.mark.parametrize(("value", "plain"), CROSSINGS, ids=repr)
def test_kinds_cross_as_documented(codec, value, plain):
    assert crossed(codec, value) == plain
    assert crossed(codec, [{"in": value}]) == [{"in": plain}]


# ---- What is not as it looks ---------------------------------------------------------


def test_an_endless_range_is_refused_at_once(executor):
    for value in (range(2**40), range(2**80)):
        with pytest.raises(ValueError, match=r"too many items at result\[0\]"):
            executor.encode([value])


def test_an_enum_that_holds_itself_ends(executor):
    class Loop(enum.Enum):
        ME = 1

        @property
        def value(self):
            return self

    with pytest.raises(ValueError, match="nesting too deep"):
        executor.encode(Loop.ME)


def test_a_set_that_lies_about_its_size_is_noticed(executor):
    class Liar(set):
        def __len__(self):
            return self.told

    for told in (0, 2):
        liar = Liar([1])
        liar.told = told
        with pytest.raises(RuntimeError, match="changed while it was encoded"):
            executor.encode(liar)


def test_a_field_that_was_deleted_is_an_error(executor):
    point = Point(1)
    del point.x
    with pytest.raises(AttributeError, match="x"):
        executor.encode([point])


def test_conversions_that_raise_pass(executor):
    class Broken(datetime.date):
        def isoformat(self):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        executor.encode([Broken(2026, 1, 2)])


def test_a_path_that_is_no_unicode_is_refused(executor):
    with pytest.raises(ValueError, match=r"surrogates at result\['p'\]; return bytes"):
        executor.encode({"p": pathlib.PurePosixPath("a\udcff")})


def test_remedies_are_named(executor):
    for value, remedy in (
        (2**64, "return it as text"),
        (object(), "on_unserialisable: marker"),
        (iter(()), "return plain values"),
    ):
        with pytest.raises((TypeError, OverflowError), match=remedy):
            executor.encode(value)


# ---- Markers -------------------------------------------------------------------------


@pytest.fixture
def markers(codec):
    codec.on_unserialisable(1)
    yield
    codec.on_unserialisable(0)


@pytest.fixture
def reprs(codec):
    codec.on_unserialisable(2)
    yield
    codec.on_unserialisable(0)


def marker(name, **more):
    return {"$unserialisable": {"type": name, **more}}


class Secret:
    def __repr__(self):
        return "the password is hunter2 " * 50


class Mute:
    def __repr__(self):
        raise SystemExit


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "object"),
        (Secret(), f"{__name__}.Secret"),
        (threading.Event(), "threading.Event"),
        (2**64, "int"),
        ("\ud800", "str"),
        (1j, "complex"),
        (iter(()), "tuple_iterator"),
        (lambda: None, "function"),
        (int, "type"),
    ],
)
def test_a_marker_stands_where_a_value_cannot(codec, markers, value, name):
    assert crossed(codec, value) == marker(name)
    assert crossed(codec, {"a": [1, value, 2], "b": 3}) == {
        "a": [1, marker(name), 2],
        "b": 3,
    }


def test_arrays_that_cannot_cross_leave_markers(codec, executor, markers):
    np = pytest.importorskip("numpy")
    for value in (np.ones(2, object), np.zeros(2, [("a", "i4")]), np.zeros((1,) * 9)):
        assert crossed(codec, [value, 1]) == [marker("numpy.ndarray"), 1]
    data, _, blocks = executor.encode([np.zeros(4), object()])
    assert len(blocks) == 1
    assert b"$unserialisable" in data


def test_a_marker_tells_nothing_of_the_value(executor, markers):
    assert b"hunter2" not in executor.encode([Secret()])[0]


def test_a_repr_is_given_when_asked_for_and_is_short(codec, reprs):
    told = crossed(codec, [Secret()])[0]["$unserialisable"]
    assert told == {"type": f"{__name__}.Secret", "repr": repr(Secret())[:200]}
    assert crossed(codec, Mute()) == marker(f"{__name__}.Mute")
    assert crossed(codec, "\ud800") == marker("str", repr="'\\ud800'")


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (2**64, "pass it as text"),
        (iter(()), "only plain values are kept"),
        ("\ud800", "pass bytes, or replace them"),
    ],
)
def test_nobody_is_told_to_return_an_argument(executor, value, remedy):
    with pytest.raises((TypeError, ValueError, OverflowError), match=remedy) as error:
        executor.encode(["put", {"value": value}], 2048, "session")
    assert "return" not in str(error.value)


def test_no_marker_stands_in_a_key(executor, markers):
    with pytest.raises(TypeError, match=r"object at result\.keys\(\)"):
        executor.encode({object(): 1})
    with pytest.raises(TypeError, match=r"object at result\.keys\(\)\[0\]"):
        executor.encode({(object(),): 1})


def test_markers_keep_to_the_limit_of_nesting(codec, executor, markers):
    def nested(depth):
        value = object()
        for _ in range(depth):
            value = [value]
        return value

    for depth in (126, 127, 128):
        if depth > 126:
            with pytest.raises(TypeError, match="cannot encode object"):
                executor.encode(nested(depth))
        else:
            executor.decode(executor.encode(nested(depth))[0])


def test_cycles_are_errors_with_markers_too(executor, markers):
    twice = []
    twice += [twice, twice]
    with pytest.raises(ValueError, match="cycle"):
        executor.encode(twice)


def test_a_metaclass_that_raises_cannot_break_a_marker(codec, markers):
    class Meta(type):
        @property
        def __module__(cls):
            raise KeyError

    class Odd(metaclass=Meta):
        pass

    assert crossed(codec, [Odd()]) == [marker("Odd")]


@pytest.mark.parametrize("purpose", ["session", "event"])
def test_what_is_read_again_holds_no_markers(executor, markers, purpose):
    for value in ([object()], {"a": 2**64}, "\ud800"):
        assert executor.encode(value)[0]
        with pytest.raises((TypeError, OverflowError, ValueError)) as refused:
            executor.encode(value, 2048, purpose)
        assert "on_unserialisable" not in str(refused.value)
