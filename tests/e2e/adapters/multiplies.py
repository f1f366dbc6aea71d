# SPDX-License-Identifier: MIT
"""What computes on threads of a library."""

from __future__ import annotations

import numpy
from snakepit_bridge import BaseAdapter, tool


class Multiplies(BaseAdapter):
    @tool
    def multiply(self, size):
        matrix = numpy.ones((size, size))
        return float((matrix @ matrix)[0, 0])
