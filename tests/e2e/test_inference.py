# SPDX-License-Identifier: MIT
"""The Open Inference Protocol, request by request: HTTP with JSON and with bytes behind
it, and gRPC.
"""

from __future__ import annotations

import json
import pathlib
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.apart import apart
from support.grpcs import needs_grpc, stubs
from support.served import Client, config, end, serve
from support.waiting import eventually

HEAD = "Inference-Header-Content-Length"
OCTETS = {"Content-Type": "application/octet-stream"}
BIG = 64 << 20
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
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = config(
        tmp_path_factory.mktemp("daemon"),
        {"max_message": "256MiB"},
        name="nd",
        adapter="inferring.Inferring",
        tensors="numpy",
        shared_memory_size="512MiB",
    )
    daemon = serve(path)
    yield Client(daemon)
    end([daemon])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return stubs(tmp_path_factory.mktemp("stubs"), "inference/inference.proto")


def tensor(name: str, datatype: str, shape: list[int], data: Any = None, **more: Any):
    """An input."""
    fields = {"name": name, "datatype": datatype, "shape": shape, **more}
    return fields if data is None else {**fields, "data": data}


def post(client: Client, model: str, head: Any, *parts: bytes, **fields: str):
    """Sends an inference, with binary tensors behind the head if there are any. The
    status, the head of the answer, and the bytes behind it.
    """
    text = json.dumps(head).encode() if not isinstance(head, bytes) else head
    if parts:
        fields = {HEAD: str(len(text)), **OCTETS, **fields}
    path = f"/v2/models/{model}/infer"
    answer = client.open("POST", path, text + b"".join(parts), **fields)
    body = answer.read()
    answer.connection.close()
    size = int(answer.headers.get(HEAD, len(body)))
    return answer.status, json.loads(body[:size]), body[size:]


def infer(client: Client, tool: str, *inputs: Any, **head: Any) -> dict[str, Any]:
    """The outputs of an inference in JSON, by name."""
    status, value, _ = post(client, f"nd.{tool}", {"inputs": list(inputs), **head})
    assert status == 200, value
    return {one["name"]: one for one in value["outputs"]}


def error(client: Client, tool: str, *inputs: Any, **head: Any) -> tuple[int, str]:
    """The status and the sentence of one that fails."""
    status, value, _ = post(client, f"nd.{tool}", {"inputs": list(inputs), **head})
    assert set(value) == {"error"}
    return status, value["error"]


# ---- Health and metadata -------------------------------------------------------------


def test_the_server_lives_is_ready_and_says_what_it_is(client: Client):
    assert client.ask("GET", "/v2/health/live") == (200, {"live": True})
    status, value = client.ask("GET", "/v2/health/ready")
    assert (status, value["ready"]) == (200, True)
    status, value = client.ask("GET", "/v2")
    assert (status, value["name"]) == (200, "snakepit")
    assert "binary_tensor_data" in value["extensions"]


def test_a_model_is_described_by_its_annotations(client: Client):
    status, value = client.ask("GET", "/v2/models/nd.scale")
    assert (status, value["name"], value["versions"]) == (200, "nd.scale", ["1"])
    assert value["inputs"] == [
        {"name": "matrix", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "by", "datatype": "FP64", "shape": [-1]},
    ]
    assert value["outputs"] == [
        {"name": "output", "datatype": "FP64", "shape": [-1, 3]}
    ]
    versioned = client.ask("GET", "/v2/models/nd.scale/versions/1")
    assert versioned == (status, value)


@pytest.mark.parametrize(
    ("tool", "inputs", "outputs"),
    [
        ("same", [("x", "UNKNOWN", [-1])], [("output", "UNKNOWN", [-1])]),
        ("kinds", [("x", "UNKNOWN", [-1])], [("output", "BYTES", [])]),
        (
            "halves",
            [("x", "INT64", [-1])],
            [("output_0", "INT64", [-1]), ("output_1", "INT64", [-1])],
        ),
        (
            "statistics",
            [("x", "FP32", [-1])],
            [("mean", "FP64", []), ("largest", "FP32", [-1])],
        ),
        ("shout", [("words", "BYTES", [-1])], [("output", "BYTES", [-1])]),
        ("nothing", [("x", "UNKNOWN", [-1])], []),
        ("listed", [("x", "INT64", [-1])], []),
    ],
)
def test_what_nobody_says_is_unknown(
    client: Client, tool: str, inputs: list, outputs: list
):
    status, value = client.ask("GET", f"/v2/models/nd.{tool}")
    assert status == 200
    for said, wanted in ((value["inputs"], inputs), (value["outputs"], outputs)):
        assert [(one["name"], one["datatype"], one["shape"]) for one in said] == wanted


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nd.add", "neither an array"),
        ("nd.steps", "it streams"),
        ("nd.gone", "no such tool"),
        ("nodots", "POOL.TOOL"),
        ("nd.same/versions/2", "one version"),
    ],
)
def test_what_is_not_a_model_is_not_found(client: Client, model: str, words: str):
    for path in (f"/v2/models/{model}", f"/v2/models/{model}/ready"):
        status, value = client.ask("GET", path)
        assert (status, words in value["error"]) == (404, True), value
    status, value = client.ask("GET", "/v2/models/gone.same")
    assert (status, "error" in value) == (404, True)


def test_a_model_is_ready_with_its_pool(client: Client):
    ready = {"name": "nd.same", "ready": True}
    assert client.ask("GET", "/v2/models/nd.same/ready") == (200, ready)
    assert client.ask("GET", "/v2/models/nd.same/versions/1/ready") == (200, ready)


def test_there_is_no_repository(client: Client):
    for path in ("index", "models/nd.same/load", "models/nd.same/unload"):
        status, value = client.ask("POST", f"/v2/repository/{path}", {})
        assert status == 501
        assert "the configuration names" in value["error"]


def test_there_is_neither_configuration_nor_statistics(client: Client):
    for path, words in (
        ("nd.same/config", "no configuration"),
        ("nd.same/versions/1/config", "no configuration"),
        ("nd.same/stats", "/metrics"),
        ("nd.same/versions/1/stats", "/metrics"),
        ("stats", "/metrics"),
    ):
        status, value = client.ask("GET", f"/v2/models/{path}")
        assert (status, words in value["error"]) == (501, True), value


def test_errors_of_the_protocol_are_a_text(client: Client):
    for method, path, wanted in (
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/nd.same/infer", 405),
        ("GET", "/v2/models/nd.same?x=1", 400),
    ):
        status, headers, value = client.whole(method, path)
        assert (status, type(value["error"])) == (wanted, str)
        assert headers["Content-Type"] == "application/json"


# ---- JSON ----------------------------------------------------------------------------


def test_numbers_cross_as_json(client: Client):
    got = infer(
        client, "double", tensor("x", "FP32", [2, 2], [[0.5, 1], [2, -3]]), id="42"
    )
    assert got["output"] == {
        "name": "output",
        "datatype": "FP32",
        "shape": [2, 2],
        "data": [1.0, 2.0, 4.0, -6.0],
    }
    status, value, _ = post(
        client,
        "nd.double/versions/1",
        {"id": "42", "inputs": [tensor("x", "FP32", [1], [1])]},
    )
    assert (status, value["id"], value["model_version"]) == (200, "42", "1")
    assert value["model_name"] == "nd.double"


@pytest.mark.parametrize("datatype", [one for one in TYPES if one != "FP16"])
def test_each_datatype_crosses_as_json(client: Client, datatype: str):
    kind = TYPES[datatype]
    if datatype == "BOOL":
        data: list = [True, False]
    elif datatype.startswith("FP"):
        data = [0.1, -1e30, 7]
    else:
        data = [int(np.iinfo(kind).min), int(np.iinfo(kind).max)]
    got = infer(client, "same", tensor("x", datatype, [len(data)], data))["output"]
    assert got["datatype"] == datatype
    assert np.array(got["data"], kind).tolist() == np.array(data, kind).tolist()
    kinds = infer(client, "kinds", tensor("x", datatype, [len(data)], data))
    assert kinds["output"]["data"][0].startswith("ndarray")


def test_bytes_cross_as_texts(client: Client):
    words = ["a", "", "grün"]
    got = infer(client, "shout", tensor("words", "BYTES", [3], words))["output"]
    assert (got["datatype"], got["shape"]) == ("BYTES", [3])
    assert got["data"] == ["A", "", "GR\u00fcN"]
    kinds = infer(client, "kinds", tensor("x", "BYTES", [2, 1], ["a", "b"]))
    assert kinds["output"]["data"] == ["list [[b'a'], [b'b']]"]


def test_outputs_have_names(client: Client):
    halves = infer(client, "halves", tensor("x", "INT64", [4], [1, 2, 3, 4]))
    assert [one["data"] for one in halves.values()] == [[1, 2], [3, 4]]
    both = infer(client, "statistics", tensor("x", "FP32", [2], [1, 3]))
    assert both["mean"]["shape"] == [] and both["mean"]["data"] == [2.0]
    assert both["largest"]["data"] == [3.0]
    one = infer(
        client,
        "statistics",
        tensor("x", "FP32", [2], [1, 3]),
        outputs=[{"name": "largest"}],
    )
    assert list(one) == ["largest"]
    assert infer(client, "nothing", tensor("x", "FP32", [0], [])) == {}


def test_lists_of_numbers_are_arrays(client: Client):
    got = infer(client, "listed", tensor("x", "INT64", [1], [1]))["output"]
    assert (got["datatype"], got["shape"]) == ("FP64", [2, 2])
    assert got["data"] == [1.0, 2.5, 3.0, 4.0]
    status, said = error(client, "listed", tensor("x", "INT64", [1], [0]))
    assert (status, 'output "output"' in said) == (500, True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (tensor("x", "FP32", [3], [1, 2]), 'input "x": its shape [3] of FP32'),
        (tensor("x", "FP32", [2], [1, "a"]), 'input "x": element 1'),
        (tensor("x", "INT8", [1], [128]), 'input "x": element 0'),
        (tensor("x", "UINT8", [1], [-1]), 'input "x": element 0'),
        (tensor("x", "INT32", [1], [1.5]), 'input "x": element 0'),
        (tensor("x", "FP33", [1], [1]), 'input "x": its datatype'),
        (tensor("x", "FP32", [-1], [1]), 'input "x": shape[0] is -1'),
        (tensor("x", "FP32", [1] * 9, [1]), 'input "x": it has 9 dimensions'),
        (tensor("x", "FP32", [1 << 62, 8], [1]), 'input "x": its shape'),
        (tensor("x", "FP32", [1]), 'input "x": it has neither data'),
        (tensor("x", "FP16", [1], [1]), 'input "x": FP16 has no form in JSON'),
        (tensor("x", "BYTES", [2], ["a"]), 'input "x": its shape [2] needs 2'),
        (tensor("", "FP32", [1], [1]), "inputs[0] has no name"),
        (
            tensor("x", "FP32", [1], parameters={"shared_memory_region": "r"}),
            'input "x": shared memory by name',
        ),
        (
            tensor("x", "FP32", [1], parameters={"binary_data_size": 4}),
            'input "x": binary_data_size',
        ),
    ],
)
def test_a_wrong_input_is_named(client: Client, given: dict, words: str):
    status, said = error(client, "same", given)
    assert (status, words in said) == (400, True), said


def test_what_else_is_wrong_is_told(client: Client):
    x = tensor("x", "FP32", [1], [1])
    for head, words in (
        ({"inputs": [x, x]}, "two of that name"),
        ({"inputs": 5}, "lists of objects"),
        ({"inputs": [x], "outputs": [{}]}, "has no name"),
        ({"inputs": [x], "outputs": [{"name": "y"}]}, 'output "y": the tool returned'),
        (
            {
                "inputs": [x],
                "outputs": [{"name": "y", "parameters": {"classification": 3}}],
            },
            'output "y": classification',
        ),
        ({"inputs": [x], "parameters": {"priority": 9}}, '"priority"'),
        ({"inputs": [x], "parameters": {"timeout": "x"}}, '"timeout"'),
        ({"inputs": [x], "parameters": {"sequence_id": 7}}, '"session" names'),
        ({"inputs": [x], "id": 7}, '"id" is not a text'),
        ([], "not a JSON object"),
        (b"{", "line 1"),
    ):
        status, value, _ = post(client, "nd.same", head)
        assert (status, words in value["error"]) == (400, True), value


def test_a_tools_failure_is_told(client: Client):
    x = tensor("x", "FP32", [1], [1])
    assert error(client, "fails", x) == (500, "ValueError: not today")
    assert error(client, "gone", x) == (
        404,
        'there is no model "nd.gone": the pool has no such tool; '
        "GET /v1/pools/nd/tools lists those it has",
    )
    status, said = error(client, "complex", tensor("x", "INT64", [1], [1]))
    assert (status, "complex64" in said) == (500, True)
    # It takes the input, and fails with it.
    status, said = error(client, "add", x)
    assert (status, '"nd.add"' in said, "add(a: int" in said) == (400, True, True)
    status, said = error(client, "double", tensor("x", "BYTES", [1], ["a"]))
    assert status == 500, said


def test_inputs_that_the_tool_does_not_take_are_named(client: Client):
    x, y = (tensor(name, "FP32", [1], [1]) for name in "xy")
    status, said = error(client, "double", x, y)
    assert (status, "'y'" in said, "double(x: " in said) == (400, True, True), said
    assert said.startswith('the inputs do not fit the model "nd.double": ')
    status, said = error(client, "scale", tensor("matrix", "FP32", [1, 3], [1, 2, 3]))
    assert (status, "'by'" in said, "scale(matrix: " in said) == (400, True, True), said


def test_parameters_are_those_of_calls(client: Client):
    x = tensor("x", "FP32", [1], [1])
    status, _ = error(client, "waits", x, parameters={"timeout": 50_000})
    assert status == 504
    named = infer(client, "session", x, parameters={"session": "s1", "other": [1]})
    assert named["output"]["data"] == ["s1"]
    assert infer(client, "same", x, parameters={"priority": 7, "timeout": 0})


# ---- Binary tensors ------------------------------------------------------------------


@pytest.mark.parametrize("datatype", [*TYPES, "BF16"])
def test_each_datatype_crosses_as_bytes(client: Client, datatype: str):
    size = 2 if datatype == "BF16" else np.dtype(TYPES[datatype]).itemsize
    data = bytes(np.arange(6 * size, dtype=np.uint8) % 2)
    given = tensor("x", datatype, [2, 3], parameters={"binary_data_size": len(data)})
    head = {"inputs": [given], "parameters": {"binary_data_output": True}}
    status, value, behind = post(client, "nd.same", head, data)
    assert (status, behind) == (200, data), value
    assert value["outputs"] == [
        tensor("output", datatype, [2, 3], parameters={"binary_data_size": len(data)})
    ]


def packed(*elements: bytes) -> bytes:
    """Elements of BYTES."""
    return b"".join(struct.pack("<I", len(one)) + one for one in elements)


def test_elements_of_any_length_cross_as_bytes(client: Client):
    data = packed(b"a\xff", b"", b"bc\0")
    given = tensor("words", "BYTES", [3], parameters={"binary_data_size": len(data)})
    wish = {"name": "output", "parameters": {"binary_data": True}}
    head = {"inputs": [given], "outputs": [wish]}
    status, value, behind = post(client, "nd.shout", head, data)
    assert (status, behind) == (200, packed(b"A\xff", b"", b"BC\0")), value
    status, value, _ = post(client, "nd.shout", {"inputs": [given]}, data)
    assert (status, "not UTF-8" in value["error"]) == (500, True)


def test_tensors_without_elements_and_without_dimensions_cross(client: Client):
    empty = tensor("x", "FP32", [0, 3], parameters={"binary_data_size": 0})
    head = {"inputs": [empty], "parameters": {"binary_data_output": True}}
    status, value, behind = post(client, "nd.same", head, b"")
    assert (status, value["outputs"][0]["shape"], behind) == (200, [0, 3], b"")
    one = tensor("x", "FP64", [], parameters={"binary_data_size": 8})
    head["inputs"] = [one]
    status, value, behind = post(client, "nd.same", head, struct.pack("<d", 2.5))
    assert (status, value["outputs"][0]["shape"]) == (200, [])
    assert behind == struct.pack("<d", 2.5)
    none = infer(client, "kinds", tensor("x", "BYTES", [3, 0], []))
    assert none["output"]["data"] == ["list []"]


def test_inputs_and_outputs_may_be_json_and_bytes_at_once(client: Client):
    data = np.arange(6, dtype=np.float32).tobytes()
    inputs = [
        tensor("by", "FP64", [], [2.0]),
        tensor("matrix", "FP32", [2, 3], parameters={"binary_data_size": len(data)}),
    ]
    status, value, behind = post(client, "nd.scale", {"inputs": inputs}, data)
    assert (status, behind) == (200, b"")
    assert value["outputs"][0]["data"] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    wishes = [
        {"name": "largest", "parameters": {"binary_data": True}},
        {"name": "mean", "parameters": {"binary_data": False}},
    ]
    given = tensor("x", "FP32", [2], [1, 3])
    status, value, behind = post(
        client, "nd.statistics", {"inputs": [given], "outputs": wishes}
    )
    assert [one["name"] for one in value["outputs"]] == ["largest", "mean"]
    assert (value["outputs"][1]["data"], behind) == ([2.0], struct.pack("<f", 3))


@pytest.mark.parametrize(
    ("size", "data", "words"),
    [
        (4, b"123", 'input "x": binary_data_size'),
        (3, b"123", 'input "x": its shape [1] of FP32 needs 4 bytes, and 3 came'),
        (4, b"12345", "bytes behind the JSON"),
        (-1, b"1234", 'input "x": binary_data_size'),
        ("4", b"1234", 'input "x": binary_data_size'),
    ],
)
def test_wrong_lengths_of_bytes_are_told(
    client: Client, size: Any, data: bytes, words: str
):
    given = tensor("x", "FP32", [1], parameters={"binary_data_size": size})
    status, value, _ = post(client, "nd.same", {"inputs": [given]}, data)
    assert (status, words in value["error"]) == (400, True), value


def test_a_wrong_head_is_told(client: Client):
    text = json.dumps({"inputs": []}).encode()
    for head, words in (
        ("x", "is not a number"),
        (str(len(text) + 1), "more than the body has"),
        ("3", "line 1"),
    ):
        status, value, _ = post(client, "nd.same", text, b"", **{HEAD: head})
        assert (status, words in value["error"]) == (400, True), value


def test_broken_elements_of_any_length_are_told(client: Client):
    for data in (b"\x05\0\0\0ab", b"\x01\0", b"\xff\xff\xff\xff"):
        given = tensor("x", "BYTES", [1], parameters={"binary_data_size": len(data)})
        status, value, _ = post(client, "nd.kinds", {"inputs": [given]}, data)
        assert (status, 'input "x": element' in value["error"]) == (400, True)


def test_64_mib_cross_both_ways(client: Client):
    data = np.arange(BIG // 4, dtype=np.float32)
    given = tensor("x", "FP32", [BIG // 4], parameters={"binary_data_size": BIG})
    head = {"inputs": [given], "parameters": {"binary_data_output": True}, "id": "big"}
    status, value, behind = post(client, "nd.double", head, data.tobytes())
    assert (status, value["id"], len(behind)) == (200, "big", BIG)
    assert np.array_equal(np.frombuffer(behind, np.float32), data * np.float32(2))
    head["parameters"]["session"] = "large"
    status, value, behind = post(client, "nd.session", head, data.tobytes())
    assert (status, behind) == (200, packed(b"large"))
    given["shape"] = [1]
    status, value, _ = post(client, "nd.double", head, data.tobytes())
    assert (status, 'input "x": its shape' in value["error"]) == (400, True)


# ---- gRPC ----------------------------------------------------------------------------


class Peer:
    """Calls the daemon in the process apart."""

    def __init__(self, url: str, made: pathlib.Path) -> None:
        import sys

        sys.path.insert(0, str(made))
        import grpc

        from inference import inference_pb2, inference_pb2_grpc

        self.pb = inference_pb2
        self.grpc = grpc
        options = [("grpc.max_receive_message_length", -1)]
        address = url.removeprefix("http://")
        self.channel = grpc.insecure_channel(address, options=options)
        self.stub = inference_pb2_grpc.GRPCInferenceServiceStub(self.channel)

    def tensor(self, name: str, datatype: str, shape: list[int], **contents: Any):
        """An input."""
        made = self.pb.ModelInferRequest.InferInputTensor(
            name=name, datatype=datatype, shape=shape
        )
        if contents:
            made.contents.CopyFrom(self.pb.InferTensorContents(**contents))
        return made

    def infer(self, tool: str, *inputs: Any, raw: Any = (), **fields: Any):
        """An answer."""
        request = self.pb.ModelInferRequest(
            model_name=f"nd.{tool}", inputs=inputs, raw_input_contents=raw, **fields
        )
        return self.stub.ModelInfer(request, timeout=60)

    def error(self, function: Any, *args: Any, **fields: Any) -> tuple[str, str]:
        """The status and the sentence of one that fails."""
        with pytest.raises(self.grpc.RpcError) as caught:
            function(*args, **fields)
        return caught.value.code().name, caught.value.details()


@pytest.fixture
def peer(client: Client, made: pathlib.Path):
    url = client.daemon.urls()[0]
    return lambda: Peer(url, made)


@needs_grpc
@apart
def test_grpc_says_what_there_is(peer):
    p = peer()
    assert p.stub.ServerLive(p.pb.ServerLiveRequest()).live
    assert p.stub.ServerReady(p.pb.ServerReadyRequest()).ready
    server = p.stub.ServerMetadata(p.pb.ServerMetadataRequest())
    assert server.name == "snakepit" and "binary_tensor_data" in server.extensions
    assert p.stub.ModelReady(p.pb.ModelReadyRequest(name="nd.same", version="1")).ready
    model = p.stub.ModelMetadata(p.pb.ModelMetadataRequest(name="nd.scale"))
    assert [(one.name, one.datatype, list(one.shape)) for one in model.inputs] == [
        ("matrix", "FP32", [-1, 3]),
        ("by", "FP64", [-1]),
    ]
    assert [one.name for one in model.outputs] == ["output"]
    for name, version in (("nd.gone", ""), ("nd.add", ""), ("nd.same", "2")):
        request = p.pb.ModelReadyRequest(name=name, version=version)
        assert p.error(p.stub.ModelReady, request)[0] == "NOT_FOUND"


@needs_grpc
@apart
@pytest.mark.parametrize("datatype", [*TYPES, "BF16"])
def test_each_datatype_crosses_as_raw_contents(peer, datatype: str):
    p = peer()
    size = 2 if datatype == "BF16" else np.dtype(TYPES[datatype]).itemsize
    data = bytes(np.arange(6 * size, dtype=np.uint8) % 2)
    answer = p.infer("same", p.tensor("x", datatype, [2, 3]), raw=[data], id="7")
    assert (answer.id, answer.model_name, answer.model_version) == ("7", "nd.same", "1")
    assert [(one.name, one.datatype, list(one.shape)) for one in answer.outputs] == [
        ("output", datatype, [2, 3])
    ]
    assert list(answer.raw_output_contents) == [data]


@needs_grpc
@apart
def test_each_datatype_crosses_as_contents(peer):
    p = peer()
    lists = {
        "bool_contents": ("BOOL",),
        "int_contents": ("INT8", "INT16", "INT32"),
        "int64_contents": ("INT64",),
        "uint_contents": ("UINT8", "UINT16", "UINT32"),
        "uint64_contents": ("UINT64",),
        "fp32_contents": ("FP32",),
        "fp64_contents": ("FP64",),
    }
    for field, datatypes in lists.items():
        for datatype in datatypes:
            kind = np.dtype(TYPES[datatype])
            ends = (
                [np.iinfo(kind).min, np.iinfo(kind).max]
                if kind.kind in "iu"
                else [0, 1]
            )
            values = np.array(ends, kind)
            given = p.tensor("x", datatype, [2], **{field: values.tolist()})
            raw = p.infer("same", given).raw_output_contents
            assert list(raw) == [values.tobytes()], datatype
    words = p.tensor("words", "BYTES", [2], bytes_contents=[b"a", b""])
    assert list(p.infer("shout", words).raw_output_contents) == [packed(b"A", b"")]


@needs_grpc
@apart
def test_grpc_tells_what_is_wrong(peer):
    p = peer()
    x = p.tensor("x", "FP32", [2])
    for inputs, raw, words in (
        ([x], [b"1234"], 'input "x": its shape [2] of FP32 needs 8 bytes, and 4 came'),
        ([x], [b"12345678", b""], "1 inputs and raw contents for 2"),
        ([x], [], 'input "x": its shape [2] of FP32 needs 8 bytes, and 0 came'),
        ([p.tensor("x", "FP16", [0])], [], 'input "x": FP16 has no contents'),
        ([p.tensor("x", "NONE", [0])], [b""], 'input "x": its datatype'),
        (
            [p.tensor("x", "INT8", [1], int_contents=[200])],
            [],
            'input "x": element 0 of its contents is not one of INT8',
        ),
        (
            [p.tensor("x", "INT8", [1], int_contents=[2])],
            [b"1"],
            'input "x": it has contents, and there are raw contents',
        ),
    ):
        code, said = p.error(p.infer, "same", *inputs, raw=raw)
        assert (code, words in said) == ("INVALID_ARGUMENT", True), said
    one = p.tensor("x", "FP32", [0])
    code, said = p.error(p.infer, "gone", one, raw=[b""])
    assert (code, said[:28]) == ("NOT_FOUND", 'there is no model "nd.gone":')
    code, said = p.error(p.infer, "same", p.tensor("y", "FP32", [0]), raw=[b""])
    assert (code, "'y'" in said) == ("INVALID_ARGUMENT", True), said
    code, said = p.error(p.infer, "fails", one, raw=[b""])
    assert (code, "not today" in said) == ("UNKNOWN", True)
    wish = p.pb.ModelInferRequest.InferRequestedOutputTensor(name="y")
    code, said = p.error(p.infer, "same", one, raw=[b""], outputs=[wish])
    assert (code, 'output "y"' in said) == ("INVALID_ARGUMENT", True)
    late = {"timeout": p.pb.InferParameter(int64_param=50_000)}
    code, _ = p.error(p.infer, "waits", one, raw=[b""], parameters=late)
    assert code == "DEADLINE_EXCEEDED"
    for name, word in (
        ("RepositoryModelLoad", "repository"),
        ("ModelConfig", "configuration"),
        ("ModelStatistics", "statistics"),
    ):
        method = f"/inference.GRPCInferenceService/{name}"
        code, said = p.error(p.channel.unary_unary(method), b"")
        assert (code, word in said) == ("UNIMPLEMENTED", True)


@needs_grpc
@apart
def test_64_mib_cross_both_ways_over_grpc(peer):
    p = peer()
    data = np.arange(BIG // 4, dtype=np.float32)
    x = p.tensor("x", "FP32", [BIG // 4])
    named = {"session": p.pb.InferParameter(string_param="large")}
    answer = p.infer("double", x, raw=[data.tobytes()], parameters=named)
    got = np.frombuffer(answer.raw_output_contents[0], np.float32)
    assert np.array_equal(got, data * np.float32(2))
    answer = p.infer("session", x, raw=[data.tobytes()], parameters=named)
    assert list(answer.raw_output_contents) == [packed(b"large")]
    code, said = p.error(
        p.infer, "double", p.tensor("x", "FP32", [3]), raw=[data.tobytes()]
    )
    assert (code, 'input "x": its shape [3]' in said) == ("INVALID_ARGUMENT", True)


@needs_grpc
@apart
def test_a_client_that_goes_cancels_its_inference(peer):
    p = peer()
    x = p.tensor("x", "FP32", [1])
    for _ in range(3):
        request = p.pb.ModelInferRequest(
            model_name="nd.waits", inputs=[x], raw_input_contents=[b"1234"]
        )
        call = p.stub.ModelInfer.future(request)
        with pytest.raises(p.grpc.FutureTimeoutError):
            call.result(0.2)
        call.cancel()

    def is_free() -> bool:
        return len(p.infer("same", x, raw=[b"1234"]).outputs) == 1

    eventually(is_free, "the worker is free again")
