// SPDX-License-Identifier: MIT
// Runs a program once, with a deadline, and hears what it has to say.
#ifndef INTERPRETER_CHILD_H
#define INTERPRETER_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"

#define SP_CHILD_REPLY_FD  3      // where the program writes its reply
#define SP_CHILD_REPLY_MAX 65536u // bytes of it

struct sp_child_result {
    struct sp_buf
        reply; // what it wrote to SP_CHILD_REPLY_FD, with a zero behind `size`
    char last_words[256]; // the line that it printed last, or that says why it could
                          // not begin
    bool is_line_open;    // what it printed last was part of a line
    int status; // as waitpid() gives it; -1: another thread of the host took it
};

// Runs argv[0], an absolute path, in `environment` (NULL: ours) and in a process group
// of its own with nothing open but 0 to SP_CHILD_REPLY_FD. Returns when it has exited
// and its group was killed. `deadline`: absolute CLOCK_MONOTONIC ns. DEADLINE_EXCEEDED:
// it was killed. SYSTEM: it could not be run, which `why` explains. NO_MEMORY. Call
// sp_child_result_fini() in every case.
snakepit_err sp_child_run(char *const argv[],
                          char *const environment[],
                          uint64_t deadline,
                          struct sp_child_result *result,
                          snakepit_message *why);
void sp_child_result_fini(struct sp_child_result *result);

#endif
