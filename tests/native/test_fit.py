# SPDX-License-Identifier: MIT
"""Which calls hand their arguments over by position instead of by name."""

import functools
import gc
import sys
import sysconfig
import weakref

import pytest


@pytest.fixture
def fit(fit_module):
    fit_module.reset()
    yield fit_module
    fit_module.reset()  # it refers to nothing any more


class Tools:
    def plain(self, x, name, n=3):
        return x

    def keyword_only(self, x, *, name):
        return x

    def positional_only(self, x, /, name):
        return x

    def positional_self(self, /, x, name):
        return x

    def packed(self, *args, **kwargs):
        return args

    @functools.wraps(plain)
    def wrapped(self, *args, **kwargs):
        return self.plain(*args, **kwargs)

    @staticmethod
    def static(x, name):
        return x

    async def coroutine(self, x, name):
        return x

    def __call__(self, x, name):
        return x


def names(*texts):
    return tuple(sys.intern(text) for text in texts)


@pytest.mark.parametrize(
    ("tool", "given", "expected"),
    [
        ("plain", ("x", "name", "n"), True),
        ("plain", ("x", "name"), True),
        ("plain", ("x",), True),  # what is missing is missing either way
        ("plain", (), True),
        ("plain", ("name", "x"), False),
        ("plain", ("x", "n"), False),
        ("plain", ("self", "x"), False),
        ("plain", ("x", "name", "n", "more"), False),
        ("plain", ("X",), False),
        ("keyword_only", ("x",), True),
        ("keyword_only", ("x", "name"), False),
        ("positional_only", ("x", "name"), False),
        ("positional_self", ("x", "name"), True),
        ("packed", ("args", "kwargs"), False),
        ("packed", ("self",), False),
        ("wrapped", ("x", "name"), False),
        ("static", ("x", "name"), True),
        ("static", ("name",), False),
        ("coroutine", ("x", "name"), True),
    ],
)
def test_names_in_the_order_of_parameters(fit, tool, given, expected):
    for _ in range(3):
        assert fit.in_order(0, getattr(Tools(), tool), names(*given)) is expected


@pytest.mark.parametrize("function", [len, Tools(), functools.partial(max, 1), Tools])
def test_what_is_no_function_of_python(fit, function):
    assert not fit.in_order(0, function, names("x", "name"))


def test_names_that_are_not_interned_are_not_in_order(fit):
    other = "".join(["na", "me"])
    assert other is not sys.intern("name")
    assert not fit.in_order(0, Tools.static, (sys.intern("x"), other))


def test_another_code_is_looked_at_anew(fit):
    def tool(x, name):
        return x

    given = names("x", "name")
    assert fit.in_order(0, tool, given)
    tool.__code__ = (lambda name, x: x).__code__
    assert not fit.in_order(0, tool, given)
    tool.__code__ = (lambda x, name, more=1: x).__code__
    assert fit.in_order(0, tool, given)


def test_tools_do_not_disturb_each_other(fit):
    given = names("x", "name")
    for _ in range(200):
        assert fit.in_order(0, Tools.static, given)
        assert not fit.in_order(1, lambda name, x: x, given)


def test_names_that_always_differ_are_given_up(fit):
    tool = Tools().plain
    seen = {fit.in_order(0, tool, names("x", "name")[: i % 3]) for i in range(200)}
    assert seen == {True, False}
    assert not fit.in_order(0, tool, names("x", "name"))


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="code lives for ever there, once there was a second thread",
)
def test_nothing_is_kept_for_long(fit):
    tool = eval("lambda x: x")
    code = weakref.ref(tool.__code__)
    assert fit.in_order(0, tool, names("x"))
    del tool
    fit.reset()
    gc.collect()
    assert code() is None
