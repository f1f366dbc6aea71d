// SPDX-License-Identifier: MIT
// Which features of the kernel there are: it is asked, for its version says little
// where a distribution has changed it or a filter refuses calls.
#ifndef BASE_KERNEL_H
#define BASE_KERNEL_H

#include <stdbool.h>

enum sp_kernel_feature {
#define SP_KERNEL_FEATURE(id, ...) SP_KERNEL_##id,
#include "base/kernel.def"
#undef SP_KERNEL_FEATURE
    SP_KERNEL_FEATURES
};

struct sp_kernel_row {
    const char *name;
    const char *since;   // the version of Linux
    const char *without; // what goes on without it, a sentence's second half
};

// The row of base/kernel.def.
const struct sp_kernel_row *sp_kernel_row(enum sp_kernel_feature feature);

// Whether this process may use it now. Changes nothing. A TIME_SLICE is also missing
// where the calling thread has a policy that has none.
bool sp_kernel_has(enum sp_kernel_feature feature);

#endif
