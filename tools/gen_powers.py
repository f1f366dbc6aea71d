#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write src/payload/powers.def, the powers of five for reading and writing reals.

usage: gen_powers.py [--check] [ROOT]; with --check it writes nothing and fails if the
table is not what it would write.
"""

import pathlib
import sys

# Below, 19 digits make nothing but zero. Reading needs no power over 308; the digits of
# the smallest doubles are found with the last.
FIRST, LAST = -342, 324

HEAD = """\
// SPDX-License-Identifier: MIT
// Written by tools/gen_powers.py.
//
//   POWER(high, low)
//
// The first 128 bits of 5 ** q, the highest of them set, rounded up, for q from
// SP_POWER_FIRST on. From 0 to 55 there are no more bits.
"""


def bits_of(power):
    """128 bits, as an integer."""
    if power >= 0:
        numerator, divisor = 5**power << 128, 1 << (5**power).bit_length()
    else:
        divisor = 5**-power
        numerator = 1 << (divisor.bit_length() + 127)
    value = -(-numerator // divisor)
    # Rounded down, they would have the same high word: the reader relies on that.
    assert value.bit_length() == 128
    assert value >> 64 == (numerator // divisor) >> 64
    return value


def table():
    """The file."""
    rows = []
    for power in range(FIRST, LAST + 1):
        high, low = divmod(bits_of(power), 1 << 64)
        rows.append(f"POWER(0x{high:016x}, 0x{low:016x}) // {power}\n")
    return HEAD + "".join(rows)


def main():
    """Write or check the table. Gives the exit code."""
    words = sys.argv[1:]
    check = "--check" in words
    roots = [word for word in words if word != "--check"]
    root = pathlib.Path(roots[0] if roots else ".").resolve()
    path = root / "src/payload/powers.def"
    if not check:
        path.write_text(table())
        return 0
    if path.read_text() == table():
        print("powers: ok")
        return 0
    print(f"{path} is not what tools/gen_powers.py writes; run it")
    return 1


if __name__ == "__main__":
    sys.exit(main())
