# SPDX-License-Identifier: MIT
"""Parameters that are read from a function's code are those that `inspect` finds."""

import functools
import inspect
from typing import Any, Callable, Optional

import pytest
from snakepit_bridge import lookup, signatures


class Holder:
    def plain(
        self, a: int, b: "str" = "x", *rest: int, c: Any, d: int = 4, **more: int
    ) -> None: ...

    def left_over(*all_of_them: Any, named: int) -> None: ...

    def by_position(self, a: int, /, b: int) -> None: ...

    @classmethod
    def of_class(cls, a: Optional[int] = None) -> None: ...

    @staticmethod
    def static(a: list[int], b: dict[str, int]) -> None: ...

    def __call__(self, a: int) -> None: ...


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def signed(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("z", inspect.Parameter.KEYWORD_ONLY)]
    )
    return function


FUNCTIONS = [
    *(Holder.plain, Holder().plain, Holder().left_over, Holder().by_position),
    *(Holder.of_class, Holder.static, Holder(), Holder),
    *(lambda: 0, lambda a, b=1: 0, len, functools.partial(Holder().plain, 1)),
    *(wrapping(Holder.plain), wrapping(wrapping(Holder.static))),
    *(wrapping(Holder().plain), wrapping(len), signed(lambda a: 0)),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("wrapped", [True, False])
def test_parameters_are_those_of_inspect(
    function: Callable[..., Any], wrapped: bool
) -> None:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    wanted = [
        (
            found.name,
            found.default,
            found.annotation,
            found.kind is not found.POSITIONAL_ONLY,
        )
        for found in inspect.signature(
            function, follow_wrapped=wrapped
        ).parameters.values()
        if found.kind not in kinds
    ]
    absent = {id(lookup.ABSENT): inspect.Parameter.empty}
    assert wanted == [
        (
            found.name,
            absent.get(id(found.default), found.default),
            absent.get(id(found.annotation), found.annotation),
            found.by_name,
        )
        for found in signatures.parameters(function, wrapped)
    ]


def test_a_function_that_wraps_itself_is_refused_as_ever() -> None:
    def function() -> None: ...

    function.__wrapped__ = function  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="wrapper loop"):
        signatures.parameters(function)


@pytest.mark.parametrize(
    "annotation", [int, "int", list[int], Optional[int], Holder, None]
)
def test_annotations_are_written_as_inspect_writes_them(annotation: Any) -> None:
    wanted = annotation
    if not isinstance(annotation, str):
        wanted = inspect.formatannotation(annotation)
    assert signatures.text_of(annotation) == wanted
    assert signatures.text_of(lookup.ABSENT) == ""


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (lambda: 0, False),
        (lambda self: 0, True),
        (lambda self, a=1, *, b=2: 0, True),
        (lambda *args: 0, True),
        (lambda self, a: 0, False),
        (lambda self, *, a: 0, False),
        (lambda *, a: 0, False),
        (lambda *args, a: 0, False),
        (lambda self, /, *args, **kwargs: 0, True),
    ],
)
def test_what_takes_itself_alone_can_be_bound_to_it(
    function: Callable[..., Any], takes: bool
) -> None:
    assert signatures.takes_itself_alone(function) is takes
    if takes:
        inspect.signature(function).bind(None)
    else:
        with pytest.raises(TypeError):
            inspect.signature(function).bind(None)
