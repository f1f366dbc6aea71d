# SPDX-License-Identifier: MIT
"""Records of other libraries that cross as maps, and the conversions that are named for
what does not cross.
"""

import collections
import datetime
import io
import os
import sqlite3
import sys
import types

import pytest
from snakepit_bridge import standalone_values


def like(name, module, *bases, **members):
    """A class as a library that need not be installed has it."""
    return type(name, bases, {"__module__": module, **members})


class Attribute:
    """Of attrs, the part that is looked at."""

    def __init__(self, name):
        self.name = name


class Point:
    """As attrs makes it."""

    __slots__ = ("_hidden", "x")
    __attrs_attrs__ = (Attribute("x"), Attribute("_hidden"))

    def __init__(self, x, hidden):
        self.x = x
        self._hidden = hidden


class Lookup(collections.abc.Mapping):
    """A mapping that is not a dict; its pairs may be any."""

    def __init__(self, *pairs):
        self.pairs = pairs

    def __getitem__(self, key):
        return dict(self.pairs)[key]

    def __iter__(self):
        return iter([key for key, _ in self.pairs])

    def __len__(self):
        return len(self.pairs)

    def items(self):
        return list(self.pairs)


def row(columns):
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    return connection.execute(f"select {columns}").fetchone()


@pytest.fixture
def crossed(codec):
    def cross(value):
        executor = codec.Executor()
        return executor.decode(executor.encode(value)[0])

    return cross


VALUES = [
    (Point(1, [2]), {"x": 1, "_hidden": [2]}),
    (Lookup(("a", 1), ("b", [Lookup((2, "c"))])), {"a": 1, "b": [{2: "c"}]}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (collections.ChainMap({"a": 1}, {"b": 2}), {"b": 2, "a": 1}),
    (collections.UserDict({"a": 1}), {"a": 1}),
    (
        row("1 as id, 'x' as name, null as empty"),
        {"id": 1, "name": "x", "empty": None},
    ),
    (io.BytesIO(b"abc"), b"abc"),
    (bytearray(b"abc"), b"abc"),
    (memoryview(b"abc")[1:], b"bc"),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
@pytest.mark.parametrize("purpose", ["result", "session"])
def test_records_cross_as_maps(codec, value, expected, purpose):
    executor = codec.Executor()
    data = executor.encode([value], 2048, purpose)[0]
    assert executor.decode(data) == [expected]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_tests_outside_of_a_worker_see_the_same(value, expected):
    assert standalone_values.kept([value]) == [expected]


def test_the_environment_crosses(crossed):
    assert crossed(os.environ) == dict(os.environ)


@pytest.mark.parametrize("version", [1, 2])
def test_models_of_pydantic_cross_as_their_own_dict(codec, monkeypatch, version):
    def dump(self):
        return {"when": datetime.date(2026, 1, 2), "inner": {"n": self.n}}

    module = types.ModuleType("pydantic")
    name = "dict" if version == 1 else "model_dump"
    module.BaseModel = like("BaseModel", "pydantic", **{name: dump})
    monkeypatch.setitem(sys.modules, "pydantic", module)
    model = like("Model", "shop", module.BaseModel)()
    model.n = 7
    executor = codec.Executor()
    expected = [{"when": "2026-01-02", "inner": {"n": 7}}]
    assert executor.decode(executor.encode([model])[0]) == expected
    assert standalone_values.kept([model]) == expected


def test_real_models_and_classes_cross(crossed):
    pydantic = pytest.importorskip("pydantic")
    attr = pytest.importorskip("attr")

    class Item(pydantic.BaseModel):
        name: str
        when: datetime.date

    class Order(pydantic.BaseModel):
        items: list[Item]

    Corner = attr.make_class("Corner", ["x", "y"])
    order = Order(items=[Item(name="a", when=datetime.date(2026, 1, 2))])
    assert crossed([order, Corner(1, Corner(2, 3))]) == [
        {"items": [{"name": "a", "when": "2026-01-02"}]},
        {"x": 1, "y": {"x": 2, "y": 3}},
    ]


TWICE = [
    (row("1 as id, 2 as id"), "two keys arrive as 'id' at result[0]"),
    (Lookup(("a", 1), ("a", 2)), "two keys arrive as 'a' at result[0]"),
    (Lookup((1, 1), (1.0, 2)), "two keys arrive as 1.0 at result[0]"),
    (Lookup(("2026-01-02", 1), (datetime.date(2026, 1, 2), 2)), "two keys arrive as"),
]


@pytest.mark.parametrize(("value", "what"), TWICE)
def test_a_key_that_is_there_twice_is_refused(executor, value, what):
    with pytest.raises(ValueError) as error:
        executor.encode([value])
    assert str(error.value).startswith(what)
    with pytest.raises(ValueError, match="two keys arrive as"):
        standalone_values.kept([value])


def test_places_in_records_are_named(executor):
    with pytest.raises(TypeError, match=r"object at result\['a'\]\['x'\]\[1\]; return"):
        executor.encode(Lookup(("a", Point([0, object()], 0))))


def test_what_a_mapping_raises_is_raised(executor):
    class Broken(Lookup):
        def items(self):
            raise RuntimeError("mine")

    class Evasive:
        @property
        def __class__(self):
            raise RuntimeError("mine")

    class Circle(Lookup):
        def items(self):
            return [("a", self)]

    for value in (Broken(), Evasive()):
        with pytest.raises(RuntimeError, match="mine"):
            executor.encode([value])
    with pytest.raises(ValueError, match="nesting too deep, or a cycle"):
        executor.encode(Circle())


def test_a_class_that_answers_for_all_names_is_no_record(executor):
    class Answers(type):
        def __getattr__(cls, name):
            return lambda *_: None

    value = Answers("Answering", (), {"__module__": "shop"})()
    with pytest.raises(TypeError, match=r"shop.Answering at result\[0\]; return"):
        executor.encode([value])
    with pytest.raises(TypeError, match=r"encode shop.Answering at .*\[0\]; only"):
        standalone_values.kept([value])


CONVERSIONS = [
    ("Tensor", "torch", "return tensor.detach().cpu().numpy()"),
    ("DataFrame", "pandas.core.frame", "return df.to_dict('records'), or its columns"),
    ("Series", "pandas", "return series.to_numpy(), or series.tolist()"),
    ("Index", "pandas.core.indexes.base", "return index.tolist()"),
    ("DataFrame", "polars.dataframe.frame", "return df.to_dicts(), or df.to_dict(as"),
    ("LazyFrame", "polars", "return frame.collect().to_dicts()"),
    ("Series", "polars.series.series", "return series.to_numpy(), or series.to_list()"),
    ("Table", "pyarrow.lib", "return table.to_pylist(), or table.to_pydict()"),
    ("RecordBatch", "pyarrow.lib", "return batch.to_pylist()"),
    ("Array", "pyarrow.lib", "return array.to_numpy(), or array.to_pylist()"),
    ("csr_matrix", "scipy.sparse._csr", "return matrix.toarray(), or the row, col"),
    ("coo_array", "scipy.sparse", "return matrix.toarray()"),
    ("ndarray", "cupy", "return cupy.asnumpy(array)"),
    ("Image", "PIL.Image", "return numpy.asarray(image)"),
]


@pytest.mark.parametrize(("name", "module", "conversion"), CONVERSIONS)
def test_what_does_not_cross_names_its_conversion(
    codec, executor, name, module, conversion
):
    base = like(name, module)
    for kind in (base, like("Mine", "shop", base)):
        with pytest.raises(TypeError) as error:
            executor.encode([kind()])
        told = f"cannot encode {kind.__module__}.{kind.__name__} at result[0]; "
        assert told + conversion in str(error.value)
        with pytest.raises(TypeError) as error:
            executor.encode([kind()], 2048, "arguments")
        assert conversion.replace("return", "pass", 1) in str(error.value)
    codec.on_unserialisable(1)
    data = executor.encode([base()])[0]
    codec.on_unserialisable(0)
    assert executor.decode(data) == [{"$unserialisable": {"type": f"{module}.{name}"}}]


def test_names_alone_are_not_enough(executor):
    for kind in (
        like("Tensor", "shop"),
        like("DataFrame", "pandasql"),
        like("Tensor", 5),
    ):
        with pytest.raises(TypeError, match="return plain values"):
            executor.encode([kind()])
    with pytest.raises(TypeError, match=r"return text\.getvalue\(\)"):
        executor.encode(io.StringIO())
    array = like("Something", "shop", __array__=lambda self: None)
    with pytest.raises(TypeError, match=r"return numpy\.asarray\(it\)"):
        executor.encode(array())


def test_real_frames_name_their_conversion(executor):
    pd = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    for value, conversion in (
        (pd.DataFrame({"a": [1]}), "df.to_dict('records')"),
        (pd.Series([1]), "series.to_numpy()"),
        (pd.RangeIndex(3), "index.tolist()"),
        (sparse.csr_matrix([[1]]), "matrix.toarray()"),
        (sparse.coo_array([[1]]), "matrix.toarray()"),
    ):
        with pytest.raises(TypeError) as error:
            executor.encode({"a": value})
        assert conversion in str(error.value)
