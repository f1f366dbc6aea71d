# SPDX-License-Identifier: MIT
"""The codec and its descriptors beside Google's: the same bytes mean the same."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
from support.places import BUILD, ROOT

pytest.importorskip("google.protobuf", reason="needs protobuf; see tools/bootstrap")
pytest.importorskip("grpc_tools", reason="needs grpcio-tools; see tools/bootstrap")

from google.protobuf import (
    descriptor,
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message,
    message_factory,
    struct_pb2,
)

PROTO = ROOT / "proto"
OURS = (
    "inference/inference.proto",
    "snakepit/v1/snakepit.proto",
    "snakepit_bridge.proto",
)
Field = descriptor.FieldDescriptor


class Echo:
    """tests/support/proto_echo.c."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [BUILD / "bin" / "proto_echo"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, *words: str | bytes) -> bytes | None:
        """Bytes, or None for a refusal."""
        assert self.process.stdin is not None and self.process.stdout is not None
        texts = [word.hex() if isinstance(word, bytes) else word for word in words]
        self.process.stdin.write(" ".join(texts).encode() + b"\n")
        self.process.stdin.flush()
        said, _, rest = self.process.stdout.readline().rstrip(b"\n").partition(b" ")
        assert said in (b"ok", b"no")
        return bytes.fromhex(rest.decode()) if said == b"ok" else None

    def close(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


@pytest.fixture
def echo() -> Iterator[Echo]:
    one = Echo()
    yield one
    one.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What protoc makes of our file and of those that it imports, by path."""
    target: Path = tmp_path_factory.mktemp("protoc") / "set"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"),
            *("--include_imports", f"--descriptor_set_out={target}", *OURS),
        ],
        check=True,
    )
    whole = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    return {file.name: file.SerializeToString() for file in whole.file}


def described(serialized: bytes) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
    file.ClearField("options")  # what a language makes of it
    file.ClearField("source_code_info")
    for one in file.message_type:
        for field in one.field:
            field.ClearField("options")
    return file


def without_json_names(
    file: descriptor_pb2.FileDescriptorProto,
) -> descriptor_pb2.FileDescriptorProto:
    """protoc leaves them out of what it makes for Python."""
    for one in file.message_type:
        inner = [field for nested in one.nested_type for field in nested.field]
        for field in [*one.field, *inner]:
            field.ClearField("json_name")
    return file


def ours_of(echo: Echo, path: str) -> descriptor_pb2.FileDescriptorProto:
    made = echo.ask("file", path)
    assert made is not None
    return descriptor_pb2.FileDescriptorProto.FromString(made)


def test_descriptors_are_those_that_protoc_makes(
    echo: Echo, files: dict[str, bytes]
) -> None:
    assert len(files) == 6
    for path, serialized in files.items():
        assert ours_of(echo, path) == described(serialized), path


def test_health_and_reflection_are_described_as_grpc_describes_them(
    echo: Echo,
) -> None:
    health = pytest.importorskip("grpc_health.v1.health_pb2")
    alpha = pytest.importorskip("grpc_reflection.v1alpha.reflection_pb2")
    for module, path in (
        (health, "grpc/health/v1/health.proto"),
        (alpha, "grpc/reflection/v1alpha/reflection.proto"),
    ):
        theirs = described(module.DESCRIPTOR.serialized_pb)
        ours = without_json_names(ours_of(echo, path))
        theirs.name = ours.name
        # Newer ones of ours are not in every release of theirs.
        names = {one.name for one in theirs.message_type}
        kept = [one for one in ours.message_type if one.name in names]
        assert kept == list(theirs.message_type)
        for mine, other in zip(ours.service, theirs.service, strict=True):
            methods = {one.name: one for one in mine.method}
            assert all(methods[one.name] == one for one in other.method)
    ours = ours_of(echo, "grpc/reflection/v1/reflection.proto")
    text = ours.SerializeToString(deterministic=True).replace(b"v1.", b"v1alpha.")
    assert text.count(b"v1alpha.ServerReflectionRequest") == 2


# ---- Random messages -----------------------------------------------------------------


class Makes:
    """Random messages of a type."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        some = "aZ0 \x00\x7f\xe9\u20ac\U0001f40d"
        return "".join(self.random.choices(some, k=self.random.choice((0, 1, 5, 200))))

    def integer(self, bits: int, signed: bool) -> int:
        value = self.random.getrandbits(self.random.choice((1, 7, 8, 31, bits)))
        value &= (1 << bits) - 1
        return value - (1 << bits) if signed and value >> (bits - 1) else value

    def scalar(self, field: Field) -> object:
        kind = field.type
        if kind == Field.TYPE_STRING:
            return self.text()
        if kind == Field.TYPE_BYTES:
            return self.random.randbytes(self.random.choice((0, 1, 130, 17000)))
        if kind == Field.TYPE_BOOL:
            return self.random.random() < 0.5
        if kind == Field.TYPE_DOUBLE:
            return self.random.choice((0.0, -0.0, 1.5, 1e300, math.inf, 2.0**53))
        if kind == Field.TYPE_ENUM:
            return self.random.choice((0, 1, 2, 3, 77, -5))
        bits = 64 if kind in (Field.TYPE_INT64, Field.TYPE_UINT64) else 32
        return self.integer(bits, kind in (Field.TYPE_INT32, Field.TYPE_INT64))

    def fill(self, one: message.Message, depth: int = 0) -> None:
        for field in one.DESCRIPTOR.fields:
            if self.random.random() < 0.4 + depth / 10:
                continue
            if field.message_type is None:
                value = self.scalar(field)
                if field.is_repeated:
                    getattr(one, field.name).extend(
                        self.scalar(field) for _ in range(self.random.randrange(5))
                    )
                elif field.enum_type is None or not field.enum_type.is_closed:
                    setattr(one, field.name, value)
            elif field.message_type.GetOptions().map_entry:
                value = field.message_type.fields_by_name["value"]
                for _ in range(self.random.randrange(3)):
                    key = self.text()
                    if value.message_type is None:
                        getattr(one, field.name)[key] = self.scalar(value)
                    else:
                        self.fill(getattr(one, field.name)[key], depth + 1)
            elif field.is_repeated:
                for _ in range(self.random.randrange(3)):
                    self.fill(getattr(one, field.name).add(), depth + 1)
            else:
                getattr(one, field.name).SetInParent()
                self.fill(getattr(one, field.name), depth + 1)


@pytest.fixture(scope="module")
def types(files: dict[str, bytes]) -> list[type[message.Message]]:
    pool = descriptor_pool.DescriptorPool()
    todo = dict(files)
    while todo:
        for path, serialized in list(todo.items()):
            needs = descriptor_pb2.FileDescriptorProto.FromString(serialized).dependency
            if not any(one in todo for one in needs):
                pool.AddSerializedFile(serialized)
                del todo[path]
    found = [pool.FindFileByName(path).message_types_by_name for path in files]
    return [
        message_factory.GetMessageClass(one)
        for names in found
        for one in names.values()
    ]


def test_messages_come_back_as_they_were(
    echo: Echo, types: list[type[message.Message]]
) -> None:
    makes = Makes(1)
    assert len(types) > 40
    for one in types:
        for _ in range(40):
            sent = one()
            makes.fill(sent)
            back = echo.ask(
                "echo",
                one.DESCRIPTOR.full_name,
                sent.SerializeToString(deterministic=True),
            )
            assert back is not None, sent
            assert one.FromString(back) == sent


def mutated(makes: Makes, data: bytes) -> bytes:
    chance = makes.random
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(changed) + 1)
        what = chance.randrange(4)
        if what == 0 and place < len(changed):
            changed[place] ^= 1 << chance.randrange(8)
        elif what == 1:
            changed[place:place] = chance.randbytes(chance.randrange(1, 4))
        elif what == 2:
            del changed[place : place + chance.randrange(1, 4)]
        else:
            changed += changed[place:]
    return bytes(changed)


def parsed(one: type[message.Message], data: bytes) -> message.Message | None:
    try:
        return one.FromString(data)
    except message.DecodeError:
        return None


def without_unknown(one: message.Message) -> message.Message:
    one.DiscardUnknownFields()
    return one


def is_known(one: message.Message) -> bool:
    """Whether it has no unknown fields. To Google's parser an entry of a map that has
    one is one as a whole.
    """
    known = type(one)()
    known.CopyFrom(one)
    known.DiscardUnknownFields()
    return known.ByteSize() == one.ByteSize()


def has_map(one: descriptor.Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Google's parser drops an entry that has an unknown field in it."""
    return one.full_name not in seen and any(
        field.message_type is not None
        and (
            field.message_type.GetOptions().map_entry
            or has_map(field.message_type, seen | {one.full_name})
        )
        for field in one.fields
    )


def has_raw(one: descriptor.Descriptor) -> bool:
    """Values are read when they become MessagePack, not before."""
    return one.full_name.startswith("snakepit.") and any(
        field.message_type is not None
        and (
            field.message_type.full_name == "google.protobuf.Value"
            or (field.message_type.file == one.file and has_raw(field.message_type))
        )
        for field in one.fields
    )


def test_damaged_messages_are_refused_or_mean_the_same(
    echo: Echo, types: list[type[message.Message]]
) -> None:
    makes = Makes(2)
    refused = 0
    accepted = 0
    for one in types:
        if has_raw(one.DESCRIPTOR):
            continue
        for _ in range(150):
            sent = one()
            makes.fill(sent)
            data = mutated(makes, sent.SerializeToString(deterministic=True))
            if len(data) > 5000:
                continue
            theirs = parsed(one, data)
            ours = echo.ask("echo", one.DESCRIPTOR.full_name, data)
            assert (ours is None) == (theirs is None), (one.DESCRIPTOR.name, data.hex())
            refused += theirs is None
            accepted += theirs is not None
            if ours is not None and theirs is not None and not has_map(one.DESCRIPTOR):
                assert one.FromString(ours) == without_unknown(theirs), data.hex()
    assert refused > 500 and accepted > 500


# ---- Values --------------------------------------------------------------------------


def random_value(chance: random.Random, depth: int = 0) -> object:
    kinds = 7 if depth < 4 else 5
    kind = chance.randrange(kinds)
    if kind == 5:
        return [random_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 6:
        return {
            f"{chance.randrange(50)}{Makes(i).text()}": random_value(chance, depth + 1)
            for i in range(chance.randrange(4))
        }
    makes: list[object] = [
        None,
        chance.random() < 0.5,
        chance.choice((0, 1, -7, 2**53, -(2**53), 300)),
        chance.choice((0.5, -1e300, 1e-9, 2.0**60)),
        Makes(chance.randrange(1000)).text(),
    ]
    return makes[kind]


def test_values_are_read_and_written_as_json_says_them(echo: Echo) -> None:
    chance = random.Random(3)
    for _ in range(400):
        value = random_value(chance)
        theirs = struct_pb2.Value()
        json_format.ParseDict(value, theirs)
        packed = echo.ask("read", theirs.SerializeToString(deterministic=True))
        assert packed is not None
        # 1 and True are equal in Python.
        assert json.dumps(msgpack.unpackb(packed), sort_keys=True) == json.dumps(
            value, sort_keys=True
        )
        back = echo.ask("write", packed)
        assert back is not None
        assert struct_pb2.Value.FromString(back) == theirs


def test_damaged_values_are_refused_or_mean_the_same(echo: Echo) -> None:
    makes = Makes(4)
    both = 0
    passed_over = 0  # what was wrong with them stands in what does not count
    for _ in range(3000):
        sent = struct_pb2.Value()
        json_format.ParseDict(random_value(makes.random), sent)
        data = mutated(makes, sent.SerializeToString(deterministic=True))
        theirs = parsed(struct_pb2.Value, data)
        ours = echo.ask("read", data) if len(data) < 20000 else None
        if ours is None:
            continue  # a key that is there twice, and what it does not know, is refused
        if theirs is None:
            passed_over += 1
            continue
        both += 1
        back = echo.ask("write", ours)
        assert back is not None
        if is_known(theirs):
            assert meaning(struct_pb2.Value.FromString(back)) == meaning(theirs)
    assert both > 300 and passed_over < 50


def meaning(value: struct_pb2.Value) -> object:
    """As Python has it; a Value that says nothing is null."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {k: meaning(v) for k, v in value.struct_value.fields.items()}
    if kind == "list_value":
        return [meaning(one) for one in value.list_value.values]
    if kind in (None, "null_value"):
        return None
    found = getattr(value, kind)
    nan = isinstance(found, float) and math.isnan(found)
    return "NaN" if nan else (kind, found)
