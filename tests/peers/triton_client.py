# SPDX-License-Identifier: MIT
"""A program of tritonclient: `triton_client.py http|grpc PORT`. Says "all right" if
whatever it sent came back.
"""

from __future__ import annotations

import importlib
import sys

import ml_dtypes
import numpy as np
from tritonclient.utils import InferenceServerException

KIND, PORT = sys.argv[1:]
triton = importlib.import_module(f"tritonclient.{KIND}")
client = triton.InferenceServerClient(f"127.0.0.1:{PORT}")

TYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BF16": ml_dtypes.bfloat16,
    "BYTES": np.object_,
}


def made(datatype: str, shape: tuple[int, ...], text: bool = False) -> np.ndarray:
    """An array of that datatype."""
    count = int(np.prod(shape))
    if datatype == "BYTES":
        tail = b"" if text else b"\xff\0"
        flat = np.array([b"x" * i + tail for i in range(count)], np.object_)
        return flat.reshape(shape)
    return np.arange(count).reshape(shape).astype(TYPES[datatype])


def given(array: np.ndarray, datatype: str, **how):
    """An input."""
    one = triton.InferInput("x", list(array.shape), datatype)
    one.set_data_from_numpy(array, **how)
    return one


def check(datatype: str, shape: tuple[int, ...]) -> None:
    """Sends it and looks at what comes back."""
    array = made(datatype, shape)
    back = client.infer("nd.same", [given(array, datatype)]).as_numpy("output")
    assert back.shape == shape, (datatype, shape, back.shape)
    assert (back.astype(array.dtype) == array).all(), (datatype, shape, back)


def check_json(datatype: str) -> None:
    """The same without bytes."""
    array = made(datatype, (2, 3), text=True)
    wish = triton.InferRequestedOutput("output", binary_data=False)
    sent = given(array, datatype, binary_data=False)
    back = client.infer("nd.same", [sent], outputs=[wish]).as_numpy("output")
    wanted = array
    if datatype == "BYTES":
        wanted = np.array([one.decode() for one in array.flat]).reshape(array.shape)
    assert (back == wanted).all(), (datatype, back)


def refused(words: str, function, *args, **options) -> None:
    """It fails with a sentence that has these words."""
    try:
        function(*args, **options)
    except InferenceServerException as error:
        assert words in error.message(), error.message()
    else:
        raise AssertionError(words)


assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("nd.same") and client.is_model_ready("nd.same", "1")
for name in TYPES:
    for extents in ((2, 3), (1,), (0,)):
        check(name, extents)
    if name != "BYTES":
        check(name, ())
        check(name, (3, 0, 2))
    if KIND == "http" and name not in ("FP16", "BF16"):
        check_json(name)

large = np.arange(64 << 18, dtype=np.float32)
doubled = client.infer("nd.double", [given(large, "FP32")]).as_numpy("output")
assert np.array_equal(doubled, large * 2)

x = given(np.ones(2, np.float32), "FP32")
both = client.infer("nd.statistics", [x], outputs=[triton.InferRequestedOutput("mean")])
assert both.as_numpy("mean") == 1 and both.as_numpy("largest") is None
named = client.infer(
    "nd.session",
    [x],
    request_id="7",
    priority=3,
    timeout=30_000_000,
    parameters={"session": "s"},
)
assert named.as_numpy("output") == b"s"
answer = named.get_response()
assert (answer["id"] if KIND == "http" else answer.id) == "7"
model = client.get_model_metadata(
    "nd.scale", **({"as_json": True} if KIND == "grpc" else {})
)
assert [one["datatype"] for one in model["inputs"]] == ["FP32", "FP64"]
refused("not today", client.infer, "nd.fails", [x])
refused("no model", client.get_model_metadata, "nd.gone")
refused("repository", client.load_model, "nd.same")
refused("sequence_id", client.infer, "nd.same", [x], sequence_id=5)
print("all right")
