// SPDX-License-Identifier: MIT
#include "base/callback.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void sp_callback_left(const char *what)
{
    // dprintf, for the state of stdio may be locked by whoever was left.
    (void)dprintf(2,
                  "snakepit: %s was left by an exception or pthread_exit(); catch it "
                  "there, and return an error\n",
                  what);
    abort();
}
