// SPDX-License-Identifier: MIT
// What a worker leaves behind when a signal kills it: Python's stack of the thread that
// got the signal, and what a deadly fault of memory was about (enum sp_fault in
// ipc/layout.h). And where a start is that takes too long.
//
// Python's faulthandler writes the stack. The adapter's own use of that module is its
// own: ours is one entry of its table, under a signal that nobody sends.
#ifndef NATIVE_CRASH_H
#define NATIVE_CRASH_H

#include <stddef.h>

struct sp_runtime;

// Imports what the rest needs, before the adapter may: from then on
// faulthandler.enable() leaves our handlers in front. In a template, too: it saves each
// fork the time.
void sp_crash_import(void);
// Does in a template, once its adapter was imported, what can be done for all that it
// will fork: each is only watched from its sp_crash_watch() on.
void sp_crash_prepare(void);
// A descriptor of the control segment that stays open for the stack, -1 with errno.
int sp_crash_keep(int control);
// From here on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT leave word in the control
// segment, then go to who handled them before, as if nobody had stood in between: the
// process still dies of the signal. Without faulthandler they leave no stack. Main
// thread: when the process begins, and again when the adapter had its chance to install
// handlers of its own, to stand in front of these. 0 or an errno.
int sp_crash_watch(struct sp_runtime *runtime);

// Gives the calling thread a stack on which these signals are handled when its own is
// full, unless it has one. NULL: it has, or there is no memory for it.
void *sp_crash_enter_thread(void);
// Takes it away before the thread ends.
void sp_crash_leave_thread(void *stack);

// What the start does now: a text of `size` bytes, cut to fit.
void sp_crash_note_stage(struct sp_runtime *runtime, const char *text, size_t size);
// The host asks where the start is: has the main thread leave its stack, then answers.
// Service thread.
void sp_crash_tell_where(struct sp_runtime *runtime);

#endif
