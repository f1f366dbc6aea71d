# SPDX-License-Identifier: MIT
"""Python has no memory left, in turn at each request that the codec makes: the error is
MemoryError or the outcome is right, and nothing is kept.
"""

import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import io
import operator
import pathlib
import subprocess
import sys
import sysconfig
import uuid

import pytest

np = pytest.importorskip("numpy")

from test_tensors import sample, tensor  # noqa: E402

pytestmark = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="this interpreter crashes where its own lists get no memory",
)

LARGE = 1 << 17  # bytes, for which other threads may run meanwhile
Pair = collections.namedtuple("Pair", "first second")


@dataclasses.dataclass
class Point:
    """Crosses as a map of its fields."""

    x: int
    y: list


class View(collections.abc.Mapping):
    """Crosses as a map, too."""

    def __init__(self, of):
        self.of = of

    def __getitem__(self, key):
        return self.of[key]

    def __iter__(self):
        return iter(self.of)

    def __len__(self):
        return len(self.of)


class Colour(enum.Enum):
    """Crosses as its value."""

    RED = "red"


class Words(str):
    """A kind of text."""


def outcome(codec, executor, act, seen, n):
    """What is seen of what `act` gives when its nth request is refused, None without
    memory; and whether one was.
    """
    found = None
    codec.fail_python_at(n)
    try:
        found = act()
    except MemoryError:
        pass
    finally:
        refused = codec.fail_python_at(0)
    try:
        return None if found is None else seen(found), refused
    finally:
        executor.release()


def check(codec, executor, act, seen=lambda found: found):
    """Each request of `act` is refused in turn, and the last time none is."""
    before = codec.usage()
    right, _ = outcome(codec, executor, act, seen, 0)
    assert right is not None
    n, refused = 0, True
    while refused:
        n += 1
        found, refused = outcome(codec, executor, act, seen, n)
        assert codec.usage() == before, n
        assert found == right or (found is None and refused), n
    assert n > 1


VALUES = {
    "plain": {"a": [1, -5, 2**40, 2**63, 1.5, None, True, "é" * 300, b"x" * 300]},
    "nested": [[[{"k": {"l": [()]}}]]],
    "named": Pair(1, {"x": Pair(2, 3)}),
    "keys": {1: "a", 2.5: "b", None: "c", "ü": "e"},
    "fields": [Point(1, [Point(2, [])])],
    "mappings": View({"a": View({})}),
    "collections": [{1}, frozenset("a"), range(3), {}.keys()],
    "kinds": [
        Colour.RED,
        decimal.Decimal("1.5"),
        datetime.date(2026, 1, 2),
        datetime.timedelta(1),
        uuid.UUID(int=1),
        pathlib.PurePosixPath("a"),
        io.BytesIO(b"x"),
        collections.deque([1]),
    ],
    "subclasses": [Words("a"), collections.OrderedDict(a=1)],
    "scalars": [np.float32(1.5), np.int8(1), np.bool_(True)],
}
REFUSED = [object(), 1j, Words, sys]
ARRAYS = {
    "packed": np.arange(6, dtype="float32").reshape(2, 3),
    "strided": np.arange(8)[::2],
    "swapped": np.arange(3, dtype=">i4"),
    "complex": np.complex64(1j),
    "view": memoryview(np.arange(4)),
}


# Of these, Python's own code makes generators.
GENERATED = {"fields", "mappings"}
GENERATE = """
import importlib.util, sys

spec = importlib.util.spec_from_file_location("_codec_test", sys.argv[1])
codec = importlib.util.module_from_spec(spec)
spec.loader.exec_module(codec)
for n in range(1, 10):
    codec.fail_python_at(n)
    try:
        tuple(i for i in ())
    except MemoryError:
        pass
    codec.fail_python_at(0)
    [dict(a=i) for i in range(200)]
"""


@pytest.fixture(scope="module")
def can_generate(codec):
    """Whether Python survives that there is no memory for a generator. 3.13.5 does not:
    it drops the function's frame twice.
    """
    command = [sys.executable, "-c", GENERATE, codec.__file__]
    return subprocess.run(command, stderr=subprocess.PIPE).returncode == 0


@pytest.mark.parametrize("purpose", ["result", "session"])
@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_encoded(codec, executor, can_generate, name, purpose):
    if name in GENERATED and not can_generate:
        pytest.skip("this interpreter crashes without memory for a generator")
    check(codec, executor, lambda: executor.encode(VALUES[name], 64, purpose)[0])


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_a_value_is_refused(codec, executor, value):
    """MemoryError, or what is wrong with the value."""

    def act():
        try:
            executor.encode(value)
        except TypeError as error:
            return str(error)
        raise AssertionError("it crossed")

    check(codec, executor, act)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_encoded(codec, executor, name):
    check(
        codec,
        executor,
        lambda: executor.encode(ARRAYS[name])[0],
        lambda data: executor.decode(data) is not None,
    )


def packed(executor, value):
    data = executor.encode(value)[0]
    executor.release()
    return data


PLAIN = {"a": [1, -5, 2**40, 1.5, None, "é" * 300, b"x" * 300, {"l" * 70: [{}]}]}


def test_a_value_is_decoded(codec, executor):
    data = packed(executor, PLAIN)
    check(codec, executor, lambda: codec.Executor().decode(data))


def test_arguments_are_decoded(codec, executor):
    data = packed(executor, {**PLAIN, "b": 2, "ü": [3]})
    check(codec, executor, lambda: codec.Executor().arguments(data))


@pytest.mark.parametrize("choice", range(4))
@pytest.mark.parametrize("size", [6, LARGE])
def test_a_tensor_arrives(codec, executor, choice, size):
    codec.tensors(choice, np.asarray if choice >= 2 else None)
    codec.write_requests(4096, sample("uint8", (size,)).tobytes())
    data = tensor("uint8", (size // 2, 2), 4096)
    try:
        check(
            codec,
            executor,
            lambda: codec.Executor().decode(data),
            lambda found: found.tolist(),
        )
    finally:
        codec.tensors()


USES = {
    "shape": lambda found: (found.shape, found.dtype, found.nbytes, found.ndim),
    "item": operator.itemgetter(1),
    "part": lambda found: found[1:3].tolist(),
    "one": lambda found: found[1][1],
    "list": lambda found: found.tolist(),
    "iteration": lambda found: [row.tolist() for row in found],
    "bytes": lambda found: found.tobytes(),
    "buffer": lambda found: memoryview(found).tobytes(),
    "dlpack": lambda found: type(found.__dlpack__(max_version=(1, 0))),
    "repr": repr,
}


@pytest.mark.parametrize("use", USES)
def test_a_tensor_is_used(codec, executor, use):
    codec.write_requests(4096, sample("float32", (4, 3)).tobytes())
    data = tensor("float32", (4, 3), 4096)

    def act():
        found = USES[use](executor.decode(data))
        return found.tolist() if hasattr(found, "tolist") else found

    check(codec, executor, act)


def test_a_large_tensor_becomes_bytes(codec, executor):
    codec.write_requests(4096, bytes(LARGE))
    data = tensor("uint8", (LARGE,), 4096)
    check(codec, executor, lambda: executor.decode(data).tobytes())


@pytest.mark.parametrize("dtype", ["float32", "int64", None])
def test_an_array_is_made_in_shared_memory(codec, executor, dtype):
    check(
        codec,
        executor,
        lambda: codec.empty((2, 3), dtype) if dtype else codec.empty(5),
        lambda found: (found.shape, found.dtype),
    )
