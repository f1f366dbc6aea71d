# SPDX-License-Identifier: MIT
"""The adapter of the bench's JSON: it gives the values and their texts."""

import functools

import json_values
from snakepit_bridge import BaseAdapter, tool


class JsonAdapter(BaseAdapter):
    """What json_values.py has, made once."""

    __thread_safe__ = True

    @functools.cached_property
    def _value_of(self):
        return functools.cache(json_values.value_of)

    @tool
    def value(self, shape):
        """A value, to be written as JSON."""
        return self._value_of(shape)

    @tool
    def text(self, shape):
        """Its JSON, to be read."""
        return json_values.text_of(shape)
