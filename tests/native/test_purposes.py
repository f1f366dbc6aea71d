# SPDX-License-Identifier: MIT
"""Errors name the places of what was handed over, and advise for what it was handed
over: whatever its texts are.
"""

from __future__ import annotations

import mmap

import pytest

np = pytest.importorskip("numpy")


def refusal(executor, message, purpose):
    with pytest.raises((TypeError, ValueError, OverflowError)) as refused:
        executor.encode(message, 2048, purpose)
    return str(refused.value)


def question(value):
    return ["tool", {"value": value}]


def event(metadata, measurements=None):
    return ["name", 0, "", "", 0, measurements or {}, metadata]


PLACES = [
    ("result", [0, {"a": object()}], "object at result[1]['a']; return plain values"),
    ("arguments", question([0, object()]), "object at arguments['value'][1]; pass pl"),
    ("arguments", ["tool", object()], "object at arguments; pass plain values"),
    ("arguments", ["\ud800", {}], "lone surrogates at name; pass bytes, or replace"),
    ("arguments", ["tool", {object(): 1}], "object at arguments.keys(); pass plain"),
    ("session", question([0, object()]), "object at value[1]; only plain values are"),
    ("session", question(object()), "object at value; only plain values are kept"),
    ("session", ["put", {"key": object()}], "object at key; only plain values are k"),
    ("session", ["put", object()], "object at arguments; only plain values are kept"),
    ("session", question(2**64), "beyond 64 bits at value; pass it as text"),
    ("session", question([np.ones(3)]), "numpy.ndarray at value[0]; a session keeps"),
    ("event", event({"a": object()}), "object at metadata['a']; only plain values can"),
    ("event", event({}, {"n": 2**64}), "64 bits at measurements['n']; give it as text"),
    ("event", event({"a": "\ud800"}), "surrogates at metadata['a']; replace them: tex"),
    ("event", event({"a": np.ones(3)}), "at metadata['a']; an event holds no arrays; "),
    ("event", event({"a": {(): 1}}), "tuple at metadata['a'].keys(); keys are texts"),
]


@pytest.mark.parametrize(("purpose", "message", "words"), PLACES)
def test_a_place_has_the_name_that_its_author_gave_it(
    executor, purpose, message, words
):
    assert words in refusal(executor, message, purpose)


# What the sentences themselves are made of.
TEXTS = [
    "at result[1]",
    "result[5]",
    "result[6]",
    "arguments['value']",
    "return it as text",
    "only plain values are kept",
    "; return bytes, or replace them",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_reads_like_an_error_stays_as_it_is(executor, text):
    for purpose, message, name in (
        ("result", {text: object()}, "result"),
        ("arguments", ["tool", {text: object()}], "arguments"),
        ("session", question({text: object()}), "value"),
        ("event", event({text: object()}), "metadata"),
    ):
        told = f"cannot encode object at {name}[{text!r}]; "
        assert refusal(executor, message, purpose).startswith(told)


@pytest.mark.parametrize(
    ("purpose", "around", "name"),
    [
        ("result", lambda value: value, "result"),
        ("arguments", lambda value: ["tool", value], "arguments"),
        ("session", question, "value"),
        ("event", event, "metadata"),
    ],
)
def test_a_place_is_cut_after_a_dozen_steps_of_its_author(
    executor, purpose, around, name
):
    value = object()
    for _ in range(12):
        value = [value]
    assert f"at {name}{'[0]' * 12}; " in refusal(executor, around(value), purpose)
    told = refusal(executor, around([value]), purpose)
    assert f"at {name}{'[0]' * 12}...; " in told


@pytest.mark.parametrize(
    ("purpose", "subject"),
    [
        ("result", "the result is"),
        ("arguments", "the arguments are"),
        ("session", "the value is"),
        ("event", "the event is"),
    ],
)
def test_what_is_too_large_is_called_by_its_name(executor, purpose, subject):
    large = memoryview(mmap.mmap(-1, 1 << 30))  # its memory is never touched
    message = refusal(executor, ["name", {"value": large}], purpose)
    assert message.startswith(f"{subject} larger than ")


def test_the_purpose_is_that_of_one_message(executor):
    refusal(executor, question(object()), "session")
    assert "at result; return" in refusal(executor, object(), "result")
