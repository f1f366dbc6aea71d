# SPDX-License-Identifier: MIT
"""The table of a pool's tools: by the library, as JSON, and by the command."""

from __future__ import annotations

import json

import pytest
from support import pool
from support.command import run
from support.places import ADAPTERS, SYSTEM

INTEGER = {"type": "integer"}
PRICE = {
    "name": "price",
    "description": "What so many of them cost.",
    "streams": False,
    "async": False,
    "idempotent": True,
    "read_only": False,
    "destructive": True,
    "batch": False,
    "thread_safe": False,
    "parameters": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "count": {"type": "integer", "default": 1},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    "result": {"type": "number"},
}


def test_the_table_says_what_each_tool_takes_and_gives(open_pit, kind):
    pit = open_pit(pool(kind, adapter="shop.Shop"))
    with pit.tools() as answer:
        table = answer.value()
        assert json.loads(answer.json()) == table
    assert (table["adapter"], table["answers_others"]) == ("shop.Shop", False)
    count, price, scale = table["tools"]
    assert price == PRICE
    assert (count["name"], count["streams"]) == ("count", True)
    assert count["result"] == {"type": "array", "items": INTEGER}
    assert (scale["name"], scale["async"], scale["result"]) == ("scale", True, {})
    taken = scale["parameters"]
    assert taken["additionalProperties"] is True
    assert list(taken["properties"]["image"]["patternProperties"]) == [r"^\$tensor$"]
    # It is made once more for whoever asks again, and calls go on.
    with pit.tools() as again:
        assert again.value() == table
    assert pit.call("price", {"name": "rope", "count": 2}) == 5.0


def test_adapters_whose_every_call_has_an_instance_have_one_too(open_pit):
    pit = open_pit(pool(adapter="shop.Once"))
    with pit.tools() as answer:
        (price,) = answer.value()["tools"]
    assert price["parameters"]["required"] == ["name"]


def test_an_adapter_that_answers_any_name_says_so_and_is_not_asked(open_pit):
    pit = open_pit(pool(adapter="shop.AnyName"))
    with pit.tools() as answer:
        assert answer.value() == {
            "adapter": "shop.AnyName",
            "answers_others": True,
            "tools": [],
        }


@pytest.mark.parametrize(
    ("options", "err"),
    [
        ({"pool": "nobody"}, "UNKNOWN_POOL"),
        ({"pool": ""}, "UNKNOWN_POOL"),
        ({"timeout_ms": 1}, "DEADLINE_EXCEEDED"),
    ],
)
def test_it_fails_as_a_call_does(open_pit, options, err):
    pit = open_pit(pool(adapter="guinea_pig"))
    busy = pit.submit("sleep", {"seconds": 30}) if "timeout_ms" in options else None
    with pit.tools(**options) as answer:
        assert answer.err == answer.fault.err == err
    if busy:
        pit.cancel(busy)
        busy.wait()


@pytest.fixture
def config(tmp_path):
    text = (
        f"pools: [{{name: shop, adapter: shop.Shop, pool_size: 1, python: {SYSTEM}}}]"
    )
    (tmp_path / "shop.yaml").write_text(text)
    return tmp_path / "shop.yaml"


def test_the_command_prints_a_line_for_each(config):
    shown = run("tools", "shop", "--config", config, cwd=ADAPTERS)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "count(to: integer) -> array of integer, streams",
        "    Counts.",
        "price(name: string, count: integer = 1, note: string or null = null)"
        " -> number, idempotent",
        "    What so many of them cost.",
        "scale(image: tensor, factors: array of number) -> any, async",
    ]
    told = run("tools", "shop", "--config", config, "--json", cwd=ADAPTERS)
    assert json.loads(told.stdout)["tools"][1] == PRICE


def test_the_command_says_what_is_wrong(config):
    unknown = run("tools", "shp", "--config", config, cwd=ADAPTERS)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert 'has no pool "shp"; did you mean "shop"?' in unknown.stderr
    nothing = run("tools", "shop")
    assert nothing.returncode == 2
    assert "tools needs --config FILE" in nothing.stderr
