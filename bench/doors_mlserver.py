# SPDX-License-Identifier: MIT
"""The model of bench/doors_adapter.py as MLServer has it."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Twice(MLModel):
    """x * 2."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One array in, one out."""
        x = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        output = NumpyCodec.encode_output("output", x * np.float32(2))
        return InferenceResponse(model_name=self.name, outputs=[output])
