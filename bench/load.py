# SPDX-License-Identifier: MIT
"""What the bench gives Python to do, the same for all that are compared."""

ROUNDS = 5000


def spend():
    """Pure Python for 100 to 200 microseconds."""
    total = 0
    for i in range(ROUNDS):
        total += i & 7
    return total
