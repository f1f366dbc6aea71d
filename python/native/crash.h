// SPDX-License-Identifier: MIT
// Tells the host what a deadly fault of memory was about. See enum sp_fault in
// ipc/layout.h.
#ifndef NATIVE_CRASH_H
#define NATIVE_CRASH_H

struct sp_runtime;

// From here on a SIGSEGV leaves word in the control segment whether it was a write to
// the requests, then goes to who handled it before, as if nobody had stood in between:
// the process still dies of the signal. Main thread, once, when the adapter had its
// chance to install handlers of its own. 0 or an errno.
int sp_crash_watch(struct sp_runtime *runtime);

#endif
