# SPDX-License-Identifier: MIT
"""Tensors by DLPack: who may read, who may write, and who keeps the memory."""

import gc
import threading

import pytest

np = pytest.importorskip("numpy", "2.1")

from test_tensors import DTYPES, sample, tensor  # noqa: E402


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0, 3), (1,) * 8])
def test_arguments_are_views(codec, executor, dtype, shape):
    expected = sample(dtype, shape)
    codec.write_requests(4096, expected.tobytes())
    view = executor.decode(tensor(dtype, shape, 4096))
    seen = np.from_dlpack(view)
    assert seen.dtype == expected.dtype
    assert np.array_equal(seen, expected)
    assert not seen.flags.writeable
    if expected.size:
        assert seen.ctypes.data == codec.addresses()[0] + 4096


def test_a_write_to_an_argument_raises(codec, executor):
    seen = np.from_dlpack(executor.decode(tensor("float32", (3,))))
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 1


def test_what_empty_made_can_be_written(codec):
    made = codec.empty((2, 3), "int32")
    seen = np.from_dlpack(made)
    seen[1, 2] = 7
    assert np.asarray(made)[1, 2] == 7


def test_an_array_keeps_the_memory(codec, executor):
    seen = np.from_dlpack(executor.decode(tensor("int8", (3,))))
    made = np.from_dlpack(codec.empty(10))
    gc.collect()
    assert codec.usage()[0] == 1
    assert codec.usage()[2] == 1
    del seen, made
    gc.collect()
    assert codec.usage() == (0, 0, 0)


def test_a_capsule_that_nobody_takes_gives_the_memory_back(codec, executor):
    view = executor.decode(tensor("int8", (3,)))
    for wish in ({"max_version": (1, 0)}, {"copy": True}, {"max_version": (7, 3)}):
        capsule = view.__dlpack__(**wish)
        assert "dltensor" in repr(capsule)
        del capsule
    made = codec.empty(10)
    old = made.__dlpack__()
    del view, made
    gc.collect()
    assert codec.usage()[0] == 1
    del old
    gc.collect()
    assert codec.usage() == (0, 0, 0)


def test_a_consumer_may_let_go_on_any_thread(codec, executor):
    held = [np.from_dlpack(executor.decode(tensor("int8", (3,))))]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert codec.usage()[2] == 0


def test_old_consumers_get_no_read_only_memory(executor):
    view = executor.decode(tensor("int8", (3,)))
    for version in (None, (0, 8)):
        with pytest.raises(BufferError, match="read-only"):
            view.__dlpack__(max_version=version)


def test_a_copy_can_be_written_and_is_one(codec, executor):
    codec.write_requests(0, b"abc")
    view = executor.decode(tensor("uint8", (3,)))
    seen = np.from_dlpack(view, copy=True)
    seen[0] = 0
    assert view.tobytes() == b"abc"
    assert seen.tobytes() == b"\0bc"


def test_the_device_is_the_processor(executor):
    view = executor.decode(tensor("int8", (3,)))
    assert view.__dlpack_device__() == (1, 0)
    assert np.from_dlpack(view, device="cpu").size == 3


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"dl_device": (2, 0)}, BufferError),
        ({"dl_device": 1}, BufferError),
        ({"dl_device": (1,)}, TypeError),
        ({"stream": 1}, BufferError),
        ({"max_version": 1}, BufferError),
        ({"max_version": ("1", "0")}, TypeError),
        ({"version": (1, 0)}, TypeError),
    ],
)
def test_what_cannot_be_had_is_refused(codec, executor, wish, error):
    view = executor.decode(tensor("int8", (3,)))
    with pytest.raises(error):
        view.__dlpack__(**wish)


def test_memory_that_fails_is_an_error(codec, executor):
    view = executor.decode(tensor("int8", (3,)))
    for n in (1, 2):
        codec.fail_at(n)
        with pytest.raises(MemoryError):
            view.__dlpack__(copy=True)
        codec.fail_at(0)
