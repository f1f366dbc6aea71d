// SPDX-License-Identifier: MIT
// The requests segment of a pool: what its workers may read. A *parcel* is the shared
// memory of one call (tool name, session, arguments); a *share* is a tensor, which
// several calls and the program itself may hold at once.
//
// One segment serves all workers of a pool, so arguments are written before a worker is
// chosen, and a call that moves to another worker is not copied: docs/decisions/0001.
#ifndef POOL_STORE_H
#define POOL_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>
#include <snakepit/payload.h>

#include "base/list.h"
#include "base/slice.h"
#include "ipc/arena.h"
#include "ipc/layout.h"
#include "ipc/segment.h"
#include "pool/loan.h"
#include "telemetry/trace_context.h"

_Static_assert(sizeof(struct sp_trace_context) == SP_TRACE_CONTEXT,
               "workers read it as the layout has it");

// A tensor in the segment, or in the memory of a client. Guarded by the store's lock.
struct sp_share {
    struct sp_link link;  // in store->shares; of a client's not
    struct sp_loan *loan; // one reference; NULL: it lies in the segment
    uint64_t offset;
    uint64_t bytes; // as allocated, at least 1
    uint32_t refs;
};

struct sp_orphan;

// The shared memory of one call. A call keeps its parcel from one use to the next, so
// that a warm call allocates nothing. Owner: the call, or the slot of a call that was
// given up.
struct sp_parcel {
    uint64_t block; // offset of SP_PARCEL_BLOCK bytes; larger bodies are elsewhere
    uint64_t body;  // offset of the arguments: in the block or a range of its own
    uint32_t body_size;
    uint32_t name_size;
    uint32_t session_size;
    uint32_t trace_size;
    bool body_is_range;
    struct sp_share **shares; // tensors it refers to; one reference each
    uint32_t share_count;
    struct sp_parcel *reply;  // to the call's question; the worker may still read it
    struct sp_orphan *orphan; // for the slot of a call that is given up; pool/seat.h
};

struct sp_store {
    struct sp_segment segment;
    struct sp_arena arena;
    pthread_mutex_t lock;  // guards what follows
    struct sp_link shares; // all
};

// The name of a parcel's tool, while it has a request.
static inline struct sp_slice sp_parcel_tool(const struct sp_store *store,
                                             const struct sp_parcel *parcel)
{
    return (struct sp_slice){store->segment.base + parcel->block, parcel->name_size};
}

// The session of its call, and, at the end of the block, the context of its trace with
// the tracestate; likewise.
static inline struct sp_slice sp_parcel_session(const struct sp_store *store,
                                                const struct sp_parcel *parcel)
{
    const uint8_t *at = store->segment.base + parcel->block + parcel->name_size;
    return (struct sp_slice){at, parcel->session_size};
}
static inline struct sp_slice sp_parcel_trace(const struct sp_store *store,
                                              const struct sp_parcel *parcel)
{
    const uint8_t *end = store->segment.base + parcel->block + SP_PARCEL_BLOCK;
    return (struct sp_slice){end - parcel->trace_size, parcel->trace_size};
}

// NO_MEMORY, SYSTEM.
snakepit_err
sp_store_init(struct sp_store *store, uint64_t size, snakepit_message *why);
// Nothing of it may be in use any more.
void sp_store_fini(struct sp_store *store);

// Bytes of it that are backed by pages, in use or not.
uint64_t sp_store_backed(const struct sp_store *store);

// What a call asks for. Borrowed.
struct sp_request_text {
    const char *tool;
    uint32_t tool_size;
    const char *session; // may be NULL
    uint32_t session_size;
    const struct sp_trace_context *trace; // NULL: none
    struct sp_slice tracestate;           // with it; sound, or empty
    const struct snakepit_writer *args;   // NULL: no arguments
    struct sp_loan *loan; // of the memory that the tensors lie in; NULL: none
    uint64_t begun;       // CLOCK_MONOTONIC ns at which the call's time began; 0: now
};

// An empty parcel. NO_MEMORY: heap or segment are exhausted.
snakepit_err sp_parcel_new(struct sp_store *store, struct sp_parcel **parcel);
// Writes a request into an empty parcel. Copies tensors that neither are in the segment
// already, packed, nor lie in what is on loan. NO_MEMORY: the parcel is empty again.
snakepit_err sp_parcel_fill(struct sp_store *store,
                            struct sp_parcel *parcel,
                            const struct sp_request_text *text);
// Gives back all but the block, which is all that most have.
void sp_parcel_strip(struct sp_store *store, struct sp_parcel *parcel);
static inline void sp_parcel_empty(struct sp_store *store, struct sp_parcel *parcel)
{
    if (parcel->body_is_range || parcel->shares != NULL || parcel->reply != NULL) {
        sp_parcel_strip(store, parcel);
    }
    parcel->body_size = 0;
}
// Frees what the parcel holds and the parcel. NULL is fine.
void sp_parcel_free(struct sp_store *store, struct sp_parcel *parcel);

// A new tensor's memory with one reference, content unset. NO_MEMORY.
snakepit_err
sp_share_new(struct sp_store *store, uint64_t bytes, struct sp_share **share);
void sp_share_ref(struct sp_store *store, struct sp_share *share);
void sp_share_unref(struct sp_store *store, struct sp_share *share);
// The share that `data` points to the start of; NULL. Its reference count does not
// change.
struct sp_share *sp_share_find(struct sp_store *store, const void *data);

#endif
