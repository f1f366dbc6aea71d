# SPDX-License-Identifier: MIT
"""bfloat16, which Python's buffers have no format for and NumPy has from ml_dtypes."""

import struct
import sys

import pytest

np = pytest.importorskip("numpy")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

from snakepit_bridge import arrays  # noqa: E402
from test_tensors import tensor  # noqa: E402

NUMBER = 15
VALUES = [1.5, -2.0, 0.0, float("inf"), 3.140625, -0.0078125]


def argument(codec, executor, shape=(2, 3)):
    array = np.array(VALUES[: int(np.prod(shape))], bfloat16).reshape(shape)
    codec.write_requests(4096, array.tobytes())
    return executor.decode(tensor(NUMBER, shape, 4096)), array


def read_back(codec, data):
    """The array that a host sees, and where it lies."""
    start = 2 if data[0] == 0xD8 else 3
    number, rank, _, _, offset = struct.unpack_from("<BBHIQ", data, start)
    assert number == NUMBER
    shape = struct.unpack_from(f"<{rank}Q", data, start + 16)
    size = 2 * int(np.prod(shape, dtype=object))
    bits = np.frombuffer(codec.results(offset, size), "uint16")
    return bits.view(bfloat16).reshape(shape), offset


def test_an_argument_is_a_view(codec, executor):
    view, array = argument(codec, executor)
    seen = np.asarray(view)
    assert (seen.dtype, seen.shape) == (array.dtype, (2, 3))
    assert np.array_equal(seen, array)
    assert seen.ctypes.data == codec.addresses()[0] + 4096
    assert not seen.flags.writeable
    assert view.dtype == "bfloat16"
    assert np.asarray(view, "float32").dtype == "float32"
    assert (view == array).all()


def test_it_is_a_sequence_without_numpy_too(codec, executor):
    view, array = argument(codec, executor)
    assert view.tolist() == array.astype("float64").tolist()
    assert view[1].tolist() == array[1].astype("float64").tolist()
    assert -2.0 in view and 7 not in view
    assert view.tobytes() == array.tobytes()


def test_a_buffer_says_that_it_has_no_format(codec, executor):
    view, _ = argument(codec, executor)
    with pytest.raises(
        BufferError, match=r"no format for bfloat16; use numpy\.asarray"
    ):
        memoryview(view)


def test_without_elements(codec, executor):
    view = executor.decode(tensor(NUMBER, (0, 3)))
    assert np.asarray(view).shape == (0, 3)
    assert np.asarray(view).dtype == bfloat16


@pytest.mark.parametrize(
    "make",
    [
        lambda array: array,
        lambda array: array.T,
        lambda array: array[:, ::-1],
        lambda array: array[0, 0],
        lambda array: np.broadcast_to(array[0], (4, 3)),
        lambda array: array[:0],
    ],
)
def test_an_array_is_a_result(codec, executor, make):
    array = np.asarray(make(np.array(VALUES, bfloat16).reshape(2, 3)))
    got, _ = read_back(codec, executor.encode(array)[0])
    assert got.shape == array.shape
    assert got.tobytes() == array.tobytes()


def test_an_argument_is_a_result(codec, executor):
    view, _ = argument(codec, executor)
    for given in (view, view[1], np.asarray(view)[:, 1]):
        got, _ = read_back(codec, executor.encode(given)[0])
        assert np.array_equal(got, np.asarray(given))


def test_what_empty_made_is_not_copied(codec, executor):
    made = np.asarray(codec.empty((4, 32), "bfloat16"))
    made[:] = 2.5
    got, offset = read_back(codec, executor.encode(made)[0])
    assert (got == 2.5).all()
    _, part = read_back(codec, executor.encode(made[1:3])[0])
    assert part == offset + 64


@pytest.mark.parametrize("name", ["bfloat16", np.dtype(bfloat16), "torch.bfloat16"])
def test_its_names(codec, name):
    class Torch:
        def __str__(self):
            return "torch.bfloat16"

    wanted = Torch() if name == "torch.bfloat16" else name
    assert codec.empty(2, wanted).dtype == "bfloat16"


def test_it_has_no_short_name(codec):
    with pytest.raises(
        ValueError, match=r"'b2'; it can have .*, bfloat16, or the short"
    ):
        codec.empty(2, "b2")


def test_without_ml_dtypes_it_stays_a_tensor(codec, executor, monkeypatch):
    view, _ = argument(codec, executor)
    monkeypatch.setattr(arrays, "_has_ml_dtypes", lambda: False)
    with pytest.raises(TypeError, match=r"needs the package ml_dtypes.*tolist"):
        np.asarray(view)
    as_array = arrays.maker("numpy")
    assert as_array(view) is view
    plain = executor.decode(tensor("int8", (3,)))
    assert isinstance(as_array(plain), np.ndarray)
    assert "ml_dtypes" in sys.modules
