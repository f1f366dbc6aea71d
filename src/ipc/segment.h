// SPDX-License-Identifier: MIT
// Shared memory without a name: a memfd, sealed so that neither side can shrink it
// under the other (a shrunk mapping is a SIGBUS).
#ifndef IPC_SEGMENT_H
#define IPC_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/payload.h>

// Owner: whoever embeds it. Zero-initialised with fd -1 is closed.
struct sp_segment {
    int fd;        // -1 when closed; the mapping lives on
    uint8_t *base; // NULL when not mapped
    uint64_t size;
};

#define SP_SEGMENT_NAMES "snakepit-" // what all their names in /proc begin with

// A new segment of `size` bytes, mapped read and write (`writable`) or read only.
// A forked child has neither descriptor nor mapping. SYSTEM: no descriptor or address
// space left; `why`, where not NULL, says what to do. `name` is only for /proc.
snakepit_err sp_segment_create(struct sp_segment *segment,
                               const char *name,
                               uint64_t size,
                               bool writable,
                               snakepit_message *why);
// Maps a descriptor that the other side made, after checking that it is a sealed memfd
// of at least `size` bytes. Does not take the descriptor. SYSTEM, PROTOCOL.
snakepit_err sp_segment_attach(struct sp_segment *segment,
                               int fd,
                               uint64_t size,
                               bool writable,
                               snakepit_message *why);
// A second descriptor of the same memory that only reads. SYSTEM.
snakepit_err sp_segment_read_only_fd(const struct sp_segment *segment,
                                     int *fd,
                                     snakepit_message *why);
// Core dumps of this process leave the mapping out.
void sp_segment_hide(const struct sp_segment *segment);
void sp_segment_close_fd(struct sp_segment *segment);
// Unmaps and closes. A closed segment is fine.
void sp_segment_fini(struct sp_segment *segment);

#endif
