// SPDX-License-Identifier: MIT
// What is said of a system call that failed: one sentence with the call, its object,
// the errno, and the limit or the key to change.
#ifndef BASE_SYSTEM_H
#define BASE_SYSTEM_H

#include <snakepit/payload.h>

// Writes the sentence to `why` (NULL: nowhere), and keeps errno, which says why `call`
// has failed. The format makes its object: "of \"snakepit-requests\" to 4096 bytes".
// `key` is that of the configuration which asked for so much, or NULL. Returns SYSTEM.
//
//     ftruncate of "snakepit-requests" to 536870912 bytes: File too large (EFBIG);
//     raise the limit of a file's size (ulimit -f, LimitFSIZE=), which is 1024000
//     bytes, or lower shared_memory_size
snakepit_err sp_system_failed(snakepit_message *why,
                              const char *call,
                              const char *key,
                              const char *format,
                              ...) __attribute__((format(printf, 4, 5)));

// A limit of getrlimit(2) as a remedy names it, with the ways to set it: "the limit of
// open files (ulimit -n, LimitNOFILE=)". Those of open files, the size of a file,
// address space, locked memory, and processes and threads.
const char *sp_system_limit(int resource);

#endif
