// SPDX-License-Identifier: MIT
// Calls of methods that are marked with thread_safe_method, counted where they enter.
#ifndef NATIVE_COUNTING_H
#define NATIVE_COUNTING_H

#include "codec_compat.h"

// Adds the type Counts and the functions by which snakepit_bridge.tracking has calls
// counted. Where they are missing it counts by itself. -1 with an exception.
int sp_counting_init(PyObject *module);

#endif
