// SPDX-License-Identifier: MIT
// A call whose tool hands over pieces while it runs, from the host's side. It is a call
// like any other, in line, in a slot, in the counters; what is different is that its
// answer is awaited chunk by chunk, by whoever has the stream, and that the tick
// watches it while nobody reads.
//
// A stream with a callback `ready` reports to its call's queue instead of being waited
// for: once for each time that its reader has found nothing, the opening included.
//
// One thread at a time may use a stream. Any thread may cancel its call.
#ifndef POOL_STREAM_H
#define POOL_STREAM_H

#include "ipc/tube.h"
#include "pool/pool.h"

#define SP_STREAM_MAGIC 0x6d616572u

// What is counted while it is read, and told to the pool when the lock is held.
struct sp_stream_read {
    uint64_t begun; // CLOCK_MONOTONIC ns
    uint64_t first; // ns until its first chunk was read; 0: none was, or it is told
    bool any;
    uint64_t pieces; // chunks, that are not told yet,
    uint64_t bytes;  // and their bytes
};

// Owner: whoever reads, but for what says otherwise.
struct sp_stream {
    uint32_t magic;
    struct sp_pool *pool; // NULL: it failed before it was a call of any pool
    struct sp_call *call;
    struct sp_port *port; // where the chunks come from, with a reference; or NULL
    struct sp_tube_reader tube;
    uint32_t moves_seen; // of the call
    bool busy;           // somebody reads, and may run a tool of the host meanwhile
    bool opened;         // the reader knows that the call has ended; sp_call_open() ran
    struct sp_buf chunk; // the last one
    struct sp_buf json;  // of it
    struct sp_stream_read read;

    // The slot is given back when the call ends, which may be before the last chunk is
    // read: what it said then. Guarded by pool->lock.
    bool kept;
    bool
        moved; // its call runs once more, elsewhere: `port` is that of the last attempt
    struct sp_tube_claim last;

    // It reports. Constant.
    snakepit_ready_fn *ready; // NULL: it does not
    void *ready_user;
    // Guarded by pool->lock.
    bool awaits;        // its reader has found nothing and is to be told
    uint64_t tail_seen; // as far as the reader saw then
    bool left; // it was closed while its question was served, and is freed later
};

// Begins a call as a stream. On failure `*stream` is given too, with the fault in its
// call; NULL only with NO_MEMORY. One that reports may be closed before this returns.
snakepit_err sp_stream_open(struct sp_pool *pool,
                            const struct sp_order *order,
                            struct sp_stream **stream);
// A stream that failed before: takes `call`. NULL, and the call is freed: NO_MEMORY.
struct sp_stream *sp_stream_failed(struct sp_call *call);
// In a forked child: makes a stream that the parent has opened one that has failed,
// with FORKED. False: NO_MEMORY, and it is as it was.
bool sp_stream_disown(struct sp_stream *stream);
// Waits for the next chunk, which is in `chunk` until the next call of this. END: there
// is none, and the call has ended well. Otherwise the call's error, which it has ended
// with.
snakepit_err sp_stream_next(struct sp_stream *stream);
// The same without waiting. AGAIN: there is no chunk yet.
snakepit_err sp_stream_try_next(struct sp_stream *stream);
// The next stream of a queue that can be read, for its `ready`; NULL. Take at most as
// many in one turn as sp_pool_collect() counted, since more may come meanwhile.
struct sp_stream *sp_stream_take_readable(struct sp_pool *pool, uint32_t queue);
// Cancels a call that has not ended. Gives the call, to be released; the stream has
// none any more and can only be closed.
struct sp_call *sp_stream_finish(struct sp_stream *stream);
// Cancels a call that has not ended, and frees. NULL is fine.
void sp_stream_close(struct sp_stream *stream);

// ---- For those who end calls; lock held ---------------------------------------

// The tube is this worker's: the call runs. It stays, unless the call runs once more,
// when nothing was written to it.
void sp_stream_bind(struct sp_stream *stream, struct sp_port *port);
// Whether the tool of a call that has run has given nothing.
bool sp_stream_is_empty(const struct sp_call *call);
// The slot of a call goes: keeps what it says of the tube, which stays readable.
void sp_stream_keep(struct sp_call *call);
// Whether a stream that nobody reads has ended by itself and can leave its slot.
bool sp_stream_has_ended(const struct sp_call *call);
// Whether the tube of a placed call has grown since its reader has found nothing.
bool sp_stream_has_news(const struct sp_call *call);
// Of one that reports: its reader is told, if it waits for that.
void sp_stream_report(struct sp_pool *pool, struct sp_call *call);
// The same, where the completion ring named its slot: the reader is told if there is a
// chunk, and else goes on waiting for one.
void sp_stream_hear(struct sp_pool *pool, struct sp_call *call);

#endif
