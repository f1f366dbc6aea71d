# SPDX-License-Identifier: MIT
"""The worker of the limit: `limit_worker.py DESCRIPTOR EXECUTORS KIND`, where KIND is
plain, tensors or template.

Its functions are the adapter's, except that they take the decoded map as it is.
"""

import os
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


def fork(functions, count):
    """As the template: forks processes that answer one call each and then rest."""
    rest, alive = os.pipe()  # which breaks when the template ends
    for _ in range(count):
        if os.fork() == 0:
            os.close(alive)
            _limit.run_once(functions)
            os.read(rest, 1)
            os._exit(0)
    _limit.rest()
    os.close(alive)
    for _ in range(count):
        os.wait()


def main():
    """Serve until the host says stop."""
    descriptor, executors, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _limit.attach(descriptor)
    functions = (noop, work)
    if kind == "tensors":
        functions += tensor_functions()
    if kind == "template":
        fork(functions, executors)
        return
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
