#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail when a header does not compile alone.

Headers of include/ must be clean in C11 and in C++11 to 20, since anyone
may include them; headers of src/ must be clean in C11.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
C11 = ["-x", "c", "-std=c11"]
CXX = [["-x", "c++", f"-std=c++{year}"] for year in (11, 17, 20)]


def compile_alone(command, header):
    """Return what the compiler said about a file of only this header, twice."""
    # Through a file that includes it, because a header given as the main file draws
    # warnings of its own; twice, because that is what its guard is for. The declaration
    # is there for headers of macros only: ISO C forbids a file that declares nothing.
    source = f'#include "{header}"\n' * 2 + "extern int nothing;\n"
    result = subprocess.run(
        [*command, "-"], input=source, text=True, capture_output=True, check=False
    )
    if result.returncode == 0:
        return ""
    return f"{header}: does not compile alone with {' '.join(command)}\n{result.stderr}"


def jobs(root, cc, cxx):
    """Yield (command, header) for each language that a header must be clean in."""
    includes = [f"-I{root / 'include'}"]
    for header in sorted((root / "include").rglob("*.h")):
        yield [cc, *C11, *STRICT, *includes], header
        for language in CXX:
            yield [cxx, *language, *STRICT, *includes], header
    internal = [*includes, f"-I{root / 'src'}", "-D_GNU_SOURCE"]
    for header in sorted((root / "src").rglob("*.h")):
        yield [cc, *C11, *STRICT, *internal], header


def main():
    """Check every header in parallel and print what fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("root", nargs="?", default=".", type=pathlib.Path)
    options = parser.parse_args()
    work = list(jobs(options.root.resolve(), options.cc, options.cxx))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda job: compile_alone(*job), work)
    wrong = [answer for answer in answers if answer]
    print("\n".join(wrong) or f"headers: ok, {len(work)} compilations")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
