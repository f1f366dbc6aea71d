// SPDX-License-Identifier: MIT
// /proc is asked, for a thread has no other door to the outside.
#include "inspect/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

char sp_threads_state(pid_t pid, uint64_t thread)
{
    char path[64];
    char text[256];
    if (pid <= 0 || thread == 0 || thread > INT32_MAX) {
        return 0;
    }
    (void)snprintf(
        path, sizeof path, "/proc/%d/task/%" PRIu64 "/stat", (int)pid, thread);
    if (sp_file_read(path, text, sizeof text) == 0) {
        return 0;
    }
    // Its name may have anything in it, so the last bracket counts.
    const char *behind = strrchr(text, ')');
    if (behind == NULL || behind[1] != ' ') {
        return 0;
    }
    return behind[2];
}

const char *sp_threads_state_name(char state)
{
    switch (state) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'D':
        return "waiting for a device";
    case 'T':
        return "stopped";
    case 't':
        return "stopped by a debugger";
    case 'Z':
    case 'X':
        return "dead";
    default:
        return "unknown";
    }
}
