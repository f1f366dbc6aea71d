# SPDX-License-Identifier: MIT
"""The worker of the limit: `limit_worker.py DESCRIPTOR EXECUTORS plain|tensors`.

Its functions are the adapter's, except that they take the decoded map as it is.
"""

import pathlib
import sys
import threading

import _limit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import load


def noop(a):
    """What BenchAdapter.noop does."""
    return {"ok": True, "y": a["x"]}


def work(a):
    """What BenchAdapter.work does."""
    load.spend()
    return {"ok": True, "y": a["x"]}


def tensor_functions():
    """What TensorAdapter does; only here is NumPy imported."""
    import numpy as np

    result = np.frombuffer(_limit.result_tensor(), dtype=np.float32)

    def view(a):
        return {"last": float(np.frombuffer(a["t"], dtype=np.float32)[-1])}

    def produce(a):
        result[-1] = a["x"]
        return {"ok": True, "y": a["x"]}

    return view, produce


def main():
    """Serve until the host says stop."""
    descriptor, executors, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _limit.attach(descriptor)
    functions = (noop, work)
    if kind == "tensors":
        functions += tensor_functions()
    others = [
        threading.Thread(target=_limit.run, args=(functions,))
        for _ in range(executors - 1)
    ]
    for other in others:
        other.start()
    _limit.run(functions)
    for other in others:
        other.join()


if __name__ == "__main__":
    main()
