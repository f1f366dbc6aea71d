# SPDX-License-Identifier: MIT
"""Keys that differ on the wire and are equal in Python: nothing is lost silently."""

from __future__ import annotations

from ctypes import byref

import pytest
from support import CallFailed, Pairs, Refused, pool
from support import host_tools as tools
from support.answers import Writer
from support.library import Message, lib

TWINS = [
    (Pairs([(1, "one"), (True, "true")]), "the keys 1 and True are equal in Python"),
    (Pairs([(1, "int"), (1.0, "real")]), "the keys 1 and 1.0 are equal in Python"),
    (Pairs([("k", 1), ("k", 2)]), "two keys arrive as 'k'"),
]


@pytest.mark.parametrize(("value", "what"), TWINS)
def test_arguments_with_such_keys_are_refused_with_their_place(
    shared_pit, kind, value, what
):
    pit = shared_pit(pool(kind))
    fault = pit.fails("echo", {"value": [0, {"m": value}]})
    assert fault.err == "MALFORMED"
    assert fault.message == f"{what} at arguments['value'][1]['m']; make them differ"
    assert pit.call("repr_of", {"value": Pairs([(1, 2), ("1", 3)])}) == "{1: 2, '1': 3}"


def test_json_with_one_key_twice_is_refused(open_pit):
    pit = open_pit(pool())
    with pytest.raises(CallFailed) as failed:
        pit.call_json("echo", '{"value": {"k": 1, "k": 2}}')
    assert failed.value.fault.err == "MALFORMED"


@pytest.mark.parametrize("value", [value for value, _ in TWINS])
def test_a_session_keeps_no_such_map(open_pit, value):
    pit = open_pit(pool(adapter="asks.Asks"))
    pit.put("s", "k", "old")
    with pytest.raises(Refused) as refused:
        pit.put("s", "k", {"rows": [value]})
    assert refused.value.err == "INVALID_ARGUMENT"
    assert pit.call("get", {"key": "k"}, session="s") == "old"
    why = Message()
    with Writer({"rows": [value]}) as writer:
        lib.writer_explain(writer.handle, byref(why))
    assert b"are equal in Python, which would lose a value (at .rows[0])" in why.text


def test_what_a_tool_of_the_host_returns_is_refused_as_well(open_pit, kind):
    pit = open_pit(pool(kind, adapter="asks.Asks"))
    tools.register(pit, "twins", lambda _info: {"m": TWINS[0][0]})
    fault = pit.fails("host", {"tool": "twins"})
    assert fault.type == "ValueError"
    assert "the keys 1 and True are equal in Python at result['m']" in fault.message
