// SPDX-License-Identifier: MIT
// The end of a pit whose callers are still to be told of the end of their calls.
#ifndef PIT_END_H
#define PIT_END_H

#include <snakepit/snakepit.h>

// Ends all calls with SHUTTING_DOWN, and takes no others. They are reported as usual,
// until snakepit_close(), which is to follow. Any thread.
void sp_pit_end_calls(snakepit *pit);

#endif
