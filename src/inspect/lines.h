// SPDX-License-Identifier: MIT
// Which line an instruction of Python comes from, by the table that code objects have
// since Python 3.11 (PEP 657; Objects/locations.md in Python's sources). The table may
// be anything: what makes no sense ends it.
#ifndef INSPECT_LINES_H
#define INSPECT_LINES_H

#include <stdint.h>

#include "base/slice.h"

// The line of code unit `unit`, counted from 0, of code that begins in `first_line`.
// `bytes` are the table.
// 0: it has none, or the table does not say.
uint32_t sp_lines_find(struct sp_slice bytes, int32_t first_line, uint64_t unit);

#endif
