# SPDX-License-Identifier: MIT
"""The adapter of the bench that has a model: 50 MiB, loaded by each worker."""

from snakepit_bridge import BaseAdapter, tool

MODEL_BYTES = 50 << 20


class Model(BaseAdapter):
    """Keeps what a model's weights take."""

    __thread_safe__ = True

    def initialize(self):
        """Loads the model."""
        self.weights = bytearray(b"w") * MODEL_BYTES

    @tool
    def weigh(self, at):
        """One of its bytes."""
        return self.weights[at]
