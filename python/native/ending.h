// SPDX-License-Identifier: MIT
// How a worker or a template ends that nobody looks after any more.
#ifndef NATIVE_ENDING_H
#define NATIVE_ENDING_H

#include <stdbool.h>
#include <stdint.h>

// Ends the process at once. What user code has started in its group gets SIGTERM, and
// SIGKILL when it has had its grace. Any thread, also in a signal handler, attached to
// the interpreter or not.
_Noreturn void sp_ending_end(void);

// The grace, 2000 ms at first. Any thread.
void sp_ending_set_grace(uint32_t ms);

// Has the kernel do that when the host dies. Again after a fork or setuid(), which
// forget it. Should the host be dead already, its channel is closed, and that is seen
// elsewhere.
void sp_ending_follow_host(void);
// Whether the process that was the parent then is dead, or about to be: it closes its
// descriptors a moment before it is gone.
bool sp_ending_is_orphan(void);

#endif
