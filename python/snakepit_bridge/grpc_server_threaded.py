# SPDX-License-Identifier: MIT
"""``python grpc_server_threaded.py --adapter MODULE.CLASS --port 0``: an adapter over
gRPC, several calls at once. See docs/grpc.md.
"""

from __future__ import annotations

import sys

from snakepit_bridge.launcher import main

if __name__ == "__main__":
    sys.exit(main("threaded"))
