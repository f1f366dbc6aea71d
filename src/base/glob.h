// SPDX-License-Identifier: MIT
// Patterns of names: `*` stands for any bytes, `?` for one, anything else for itself.
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

#include "base/slice.h"

// Whether the whole text is as the pattern says. Takes time as the product of their
// sizes at most.
bool sp_glob_matches(struct sp_slice pattern, struct sp_slice text);

#endif
