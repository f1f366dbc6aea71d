# SPDX-License-Identifier: MIT
"""The table of kinds in docs/c-api.md: its examples cross a real pool as it says."""

from __future__ import annotations

import ctypes
import json
import re
from ctypes import byref

import pytest
from support import library as raw
from support import pool
from support.answers import Answer
from support.library import lib
from support.places import ROOT

HEADER = (ROOT / "include/snakepit/payload.h").read_text()
PAGE = (ROOT / "docs/c-api.md").read_text()
TABLE = PAGE.split("<!-- kinds -->\n")[1].split("<!-- end -->")[0]

# Each row: kind, member of `as`, functions, Python's type, example.
ROWS = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|\n").split("|")]
    for line in TABLE.splitlines()[2:]
]
KINDS = re.findall(
    r"^    SNAKEPIT_(\w+)", HEADER.split("enum snakepit_kind {")[1].split("}")[0], re.M
)


def test_the_table_has_every_kind_once_and_no_other():
    assert [row[0] for row in ROWS] == [[f"SNAKEPIT_{kind}"] for kind in KINDS]


def test_the_table_has_every_function_that_writes_a_value_and_no_other():
    there = set(re.findall(r"^snakepit_writer_(\w+)\(", HEADER, re.M))
    there |= set(re.findall(r"void snakepit_writer_(\w+)\(", HEADER))
    there -= {"free", "reset"}
    told = {name.rpartition("writer_")[2] for row in ROWS for name in row[2]}
    assert told == there


def test_the_table_names_members_of_a_value():
    members = HEADER.split("union {")[1].split("} as;")[0]
    for row in ROWS:
        for name in row[1]:
            assert re.search(rf"\b{name};", members), row


def call_json(pit, tool, example):
    handle = ctypes.c_void_p()
    text = f'{{"value": {example}}}'.encode()
    err = lib.call_json(pit.handle, tool.encode(), text, None, byref(handle))
    return Answer(err, handle)


def read_kind(answer):
    reader, value = raw.Reader(), raw.Value()
    lib.answer_reader(answer.handle, byref(reader))
    assert lib.reader_next(byref(reader), byref(value)) == 0
    return f"SNAKEPIT_{KINDS[value.kind]}"


EXAMPLES = [row for row in ROWS if row[4]]


def test_every_kind_but_extensions_has_an_example():
    assert [row[0] for row in ROWS if not row[4]] == [["SNAKEPIT_EXTENSION"]]


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row[0][0])
def test_an_example_crosses_as_its_row_says(open_pit, profile, row):
    (name,), _, _, (python,), (example,) = row
    pit = open_pit(pool(profile))
    with call_json(pit, "type_of", example) as answer:
        assert answer.value() == python
    with call_json(pit, "echo", example) as answer:
        assert read_kind(answer) == name
        assert json.loads(answer.json()) == json.loads(example)
