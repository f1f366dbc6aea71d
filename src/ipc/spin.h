// SPDX-License-Identifier: MIT
// Threads of this process that spin: one core must stay free for whoever they wait for.
#ifndef IPC_SPIN_H
#define IPC_SPIN_H

#include <stdbool.h>

// True if one more may spin; then end.
bool sp_spin_begin(void);
void sp_spin_end(void);

#endif
