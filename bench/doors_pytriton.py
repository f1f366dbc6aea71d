# SPDX-License-Identifier: MIT
"""The model of bench/doors_adapter.py in PyTriton: `doors_pytriton.py HTTP GRPC`."""

import sys

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def twice(requests):
    """x * 2."""
    return [{"output": request["x"] * np.float32(2)} for request in requests]


def main() -> None:
    """Serves until it is stopped."""
    http, grpc = map(int, sys.argv[1:])
    config = TritonConfig(
        http_address="127.0.0.1",
        grpc_address="127.0.0.1",
        http_port=http,
        grpc_port=grpc,
        allow_metrics=False,
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="doors.twice",
            infer_func=twice,
            inputs=[Tensor(name="x", dtype=np.float32, shape=(-1,))],
            outputs=[Tensor(name="output", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(batching=False),
        )
        triton.serve()


if __name__ == "__main__":
    main()
