// SPDX-License-Identifier: MIT
// A descriptor that is not ours, such as stderr, written to without waiting for its
// reader. Its flags are shared with other processes and stay as they are.
#ifndef BASE_OUTLET_H
#define BASE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Owner: one thread, which blocks all signals: SIGPIPE and SIGXFSZ are answers here.
struct sp_outlet {
    int fd;
    int own; // the same pipe or terminal, opened anew without waiting; or -1
    bool is_file;
    bool is_socket;
};

// Looks at what `fd` is now. The program may make it something else at any time, so
// this is to be done anew from time to time.
void sp_outlet_open(struct sp_outlet *outlet, int fd);
void sp_outlet_close(struct sp_outlet *outlet);

// Bytes written; 0: it would have to wait. Negative: there is nobody to write to.
// A pipe takes up to PIPE_BUF bytes whole or not at all. May wait for a disk, and,
// where `own` could not be had, for a reader that lets another writer go first.
ssize_t sp_outlet_write(const struct sp_outlet *outlet, const char *data, size_t size);

// Waits at most `ms` until it is likely to take something.
void sp_outlet_wait(const struct sp_outlet *outlet, int ms);

#endif
