// SPDX-License-Identifier: MIT
// Ctrl-C and its kind, while there are workers to be stopped.
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

// From now on the first SIGINT, SIGTERM or SIGHUP is only noted; a second one of the
// same kind ends the process at once, and its workers with it. What the parent chose to
// ignore stays ignored. Once in a process, before anything that has workers is opened.
void sp_cli_interrupts_init(void);

// The signal that was noted, or 0. Any thread.
int sp_cli_interrupted(void);

// A descriptor that is readable once a signal was noted; -1 where there is none. Never
// read it.
int sp_cli_interrupt_fd(void);

#endif
