// SPDX-License-Identifier: MIT
// A machine that is only memory: a clock that goes on when the loop would wait, and
// processes that the test plays. It stands in for the kernel's clock, for what the
// module base knows of pidfds, and, for whole workers, for spawn.c.
#ifndef UNIT_PROCESS_FAKES_H
#define UNIT_PROCESS_FAKES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/loop.h"
#include "ipc/channel.h"
#include "process/spawn.h"

#define FAKES_MOST   4u
#define FAKE_SIGNALS 8u
#define FAKE_LINES   64u

struct fake_signal {
    int number;
    bool group;
};

// One process, as the test plays it.
struct fake_process {
    pid_t pid;
    int pidfd;   // its host's; readable once it has exited
    int channel; // its own end, and so on; -1: closed
    int output;
    int errors;
    struct fake_signal signals[FAKE_SIGNALS]; // that it got
    uint32_t signal_count;
    int refuses;       // errno of every signal; 0: it gets them
    bool stays;        // SIGKILL does not end it
    bool left_group;   // it leads a group no more
    bool others;       // somebody else is in its group, until SIGKILL
    bool others_leave; // or SIGTERM
    bool exited;
    bool reaped;
    int code;
    int signal;
};

struct fake_machine {
    struct fake_process processes[FAKES_MOST];
    uint32_t count;
    uint64_t now;      // ns
    int spawn_refuses; // errno of the next spawn; 0: it works
    int watch_refuses; // errno of epoll_ctl() while `watches_left` is 0
    uint32_t watches_left;
    struct sp_log log; // of everything
    char lines[FAKE_LINES][512];
    uint32_t line_count;
};

extern struct fake_machine machine;

// A new machine; closes the descriptors of the last one.
void machine_reset(void);
// Runs the loop for so many milliseconds of the machine's time.
void machine_run(struct sp_loop *loop, uint64_t ms);
// The lines of the log that hold a text.
uint32_t machine_logged(const char *part);

// A process, with its host's ends in `process`.
struct fake_process *fake_spawn(struct sp_process *process);
void fake_says(const struct fake_process *fake,
               uint32_t type,
               const void *body,
               uint32_t size);
// What its host has sent; 0: nothing.
uint32_t fake_hears(const struct fake_process *fake);
void fake_prints(const struct fake_process *fake, const char *text);
// Its end of the channel is closed.
void fake_hangs_up(struct fake_process *fake);
void fake_exits(struct fake_process *fake, int code, int signal);
// The signals it got, as "TERM+ KILL": `+`: its group.
const char *fake_signals(const struct fake_process *fake);

#endif
