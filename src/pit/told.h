// SPDX-License-Identifier: MIT
// The structs in which a pit tells what it is and does, as rows of their members: so
// that a daemon can write one as a map, and a pit that is connected to it can read it.
#ifndef PIT_TOLD_H
#define PIT_TOLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"

enum sp_told_kind {
    SP_TOLD_U32,
    SP_TOLD_U64,
    SP_TOLD_I32,
    SP_TOLD_I64,
    SP_TOLD_FLAG,
    SP_TOLD_TEXT, // const char *; NULL: there is none
    SP_TOLD_ROOM, // char[]
};

struct sp_told_member {
    const char *name;
    size_t at;
    size_t size;
    enum sp_told_kind kind;
};

// One of these structs.
struct sp_told {
    bool sized; // it begins with its `size`
    size_t size;
    size_t count;
    const struct sp_told_member *members;
};

extern const struct sp_told sp_told_pool;     // snakepit_pool_stats
extern const struct sp_told sp_told_worker;   // snakepit_worker_info
extern const struct sp_told sp_told_breaker;  // snakepit_breaker_info
extern const struct sp_told sp_told_health;   // snakepit_health
extern const struct sp_told sp_told_death;    // snakepit_death
extern const struct sp_told sp_told_executor; // snakepit_executor_info
extern const struct sp_told sp_told_call;     // snakepit_call_info
extern const struct sp_told sp_told_ended;    // snakepit_ended_call
extern const struct sp_told sp_told_stack;    // snakepit_stack, without its frames
extern const struct sp_told sp_told_frame;    // snakepit_frame

#define SP_TOLD_SIZE_MOST 1024u // of any of them

// A map of the members.
void sp_told_write(const struct sp_told *told,
                   const void *row,
                   snakepit_writer *writer);

// Texts that live as long as their pit: there are few, such as the states of workers.
struct sp_told_texts {
    pthread_mutex_t lock;
    struct sp_link all;
    size_t count;
};
void sp_told_texts_init(struct sp_told_texts *texts);
void sp_told_texts_fini(struct sp_told_texts *texts);

// Reads such a map into a zeroed struct, and steps over it. What the map lacks stays 0,
// what the struct lacks is passed over. PROTOCOL: it is not a map. Texts are `kept`.
snakepit_err sp_told_read(const struct sp_told *told,
                          snakepit_reader *reader,
                          struct sp_told_texts *kept,
                          void *row);

#endif
