// SPDX-License-Identifier: MIT
// Failed assertions: say where, then end the process.
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void sp_check_failed(const char *condition, const char *file, int line)
{
    // dprintf, for the state of stdio may be what broke.
    dprintf(2, "snakepit: check failed: %s at %s:%d\n", condition, file, line);
    abort();
}
