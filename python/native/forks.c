// SPDX-License-Identifier: MIT
#include "forks.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define STATUS 70 // EX_SOFTWARE

bool sp_forks_is_child;

static void note_child(void)
{
    sp_forks_is_child = true;
}

// A process that its template has forked has it from there.
int sp_forks_watch(void)
{
    static bool watches;
    int rc = watches ? 0 : pthread_atfork(NULL, NULL, note_child);
    watches = rc == 0;
    return rc;
}

void sp_forks_leave(const uint8_t *tool, uint32_t size)
{
    char text[512];
    int length =
        snprintf(text,
                 sizeof text,
                 "snakepit: process %d, which tool \"%.*s\" has forked, came "
                 "back from it and was ended; a child must leave by os._exit()\n",
                 (int)getpid(),
                 (int)size,
                 (const char *)tool);
    ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    (void)written;
    _exit(STATUS);
}
