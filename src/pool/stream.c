// SPDX-License-Identifier: MIT
// Chunks that were seen are read without the lock: the worker cannot take them back as
// long as the call is its own, and when the call was given up `moves` has changed,
// which is checked after every copy. All that touches the slot is done under the lock,
// for the tick may end the call at any time and give its slot to another one.
#include "pool/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "ipc/wait.h"
#include "pool/inside.h"
#include "pool/question.h"
#include "pool/spares.h"
#include "pool/trace.h"

// ---- Making -------------------------------------------------------------------

struct sp_stream *sp_stream_failed(struct sp_call *call)
{
    struct sp_stream *stream = call == NULL ? NULL : sp_alloc(sizeof *stream);
    if (stream == NULL) {
        if (call != NULL) {
            sp_pool_release(call);
        }
        return NULL;
    }
    stream->magic = SP_STREAM_MAGIC;
    stream->call = call;
    stream->opened = true;
    return stream;
}

// Runs outside of the lock, once.
static void open_answer(struct sp_stream *stream)
{
    if (!stream->opened) {
        stream->opened = true;
        sp_call_open(stream->call);
    }
}

snakepit_err sp_stream_open(struct sp_pool *pool,
                            const struct sp_order *order,
                            struct sp_stream **stream)
{
    struct sp_stream *made = sp_alloc(sizeof *made);
    *stream = made;
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->magic = SP_STREAM_MAGIC;
    made->pool = pool;
    made->call = sp_spares_take(pool);
    if (made->call == NULL) {
        sp_free(made);
        *stream = NULL;
        return SNAKEPIT_NO_MEMORY;
    }
    // One that reports may be gone when this returns: its `ready` may close it. Of one
    // that was refused it never runs.
    snakepit_err err = sp_pool_begin_stream(pool, order, made);
    if (err != SNAKEPIT_OK) {
        open_answer(made);
    }
    return err;
}

// What another thread may have been changing at the fork stays as it is.
bool sp_stream_disown(struct sp_stream *stream)
{
    static const struct sp_failure forked = {.err = SNAKEPIT_FORKED};
    struct sp_call *call = sp_call_failed(&forked);
    if (call == NULL) {
        return false;
    }
    if (stream->busy) {
        stream->chunk = (struct sp_buf){0};
        stream->json = (struct sp_buf){0};
    }
    stream->call = call;
    stream->pool = NULL;
    stream->port = NULL;
    stream->opened = true;
    return true;
}

// ---- Catching up --------------------------------------------------------------

static bool is_up_to_date(const struct sp_stream *stream)
{
    // [stream:copied] what was copied is whole if this has not changed; pairs with the
    // change in sp_pool_abandon(), before the worker hears of it.
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&stream->call->moves, memory_order_relaxed) ==
           stream->moves_seen;
}

static void drop_the_rest(struct sp_stream *stream)
{
    stream->tube.head = stream->tube.tail;
    stream->tube.told = stream->tube.tail;
    stream->tube.keeps = false;
}

// The worker broke the protocol, and is marked for it if it still has a seat.
static void accuse(struct sp_pool *pool, const struct sp_port *port)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->port == port) {
            sp_pool_violation(pool, seat);
        }
    }
}

// Ends the stream with a failure of the host's side. Lock held.
static void fail(struct sp_stream *stream, snakepit_err err, struct sp_after *after)
{
    struct sp_pool *pool = stream->pool;
    struct sp_call *call = stream->call;
    const struct sp_failure failure = {.err = err, .stage = "running"};
    if (err == SNAKEPIT_PROTOCOL) {
        accuse(pool, stream->port);
    }
    if (call->phase == SP_CALL_ENDED) {
        sp_call_set_failure(call, &failure);
    } else {
        sp_pool_abandon(pool, call, &failure, after);
    }
    stream->kept = false;
    drop_the_rest(stream);
}

// Takes over what the worker has written and tells it what was read. True: its executor
// may have to be woken. Lock held.
static bool exchange(struct sp_stream *stream, struct sp_after *after)
{
    struct sp_call *call = stream->call;
    struct sp_port *port = call->placement.seat->port;
    if (sp_port_state(port, call->placement.slot) == SP_SLOT_QUEUED) {
        return false;
    }
    sp_stream_bind(stream, port);
    struct sp_slot *slot = &port->view.slots[call->placement.slot];
    bool told = sp_tube_tell(&stream->tube, slot);
    const struct sp_tube_claim claim = sp_tube_look(slot);
    if (sp_tube_believe(&stream->tube, &claim) != SNAKEPIT_OK) {
        fail(stream, SNAKEPIT_PROTOCOL, after);
        return false;
    }
    return told;
}

// What is left to read of a call that has ended. Lock held.
static void take_the_rest(struct sp_stream *stream, struct sp_after *after)
{
    if (!stream->kept) {
        drop_the_rest(stream);
    } else if (sp_tube_believe(&stream->tube, &stream->last) != SNAKEPIT_OK) {
        fail(stream, SNAKEPIT_PROTOCOL, after);
    }
    stream->tube.told = stream->tube.head;
    stream->tube.keeps = false;
}

// Lock held.
static void tell_read(struct sp_stream *stream)
{
    struct sp_pool *pool = stream->pool;
    struct sp_stream_read *read = &stream->read;
    pool->traffic.pieces += read->pieces;
    pool->traffic.chunks += read->bytes;
    if (read->first != 0) {
        sp_histogram_add(&pool->times.chunk, read->first);
    }
    read->pieces = 0;
    read->bytes = 0;
    read->first = 0;
}

// Lock held; true as exchange().
static bool look(struct sp_stream *stream, struct sp_after *after)
{
    struct sp_call *call = stream->call;
    bool told = false;
    tell_read(stream);
    if (call->phase == SP_CALL_PLACED) {
        told = exchange(stream, after);
    }
    if (call->phase == SP_CALL_ENDED) {
        take_the_rest(stream, after);
    }
    stream->moves_seen = atomic_load_explicit(&call->moves, memory_order_relaxed);
    return told;
}

// Without the lock: wakes the executor that waits for the reader.
static void wake(struct sp_stream *stream, uint32_t slot)
{
    sp_wait_note_cpu(&stream->port->view.header->host_cpu);
    sp_port_wake_executor(stream->port, slot);
}

static void unlock(struct sp_stream *stream, bool told, struct sp_after *after)
{
    // The slot may be another call's by then, whose executor a wake does no harm.
    uint32_t slot = stream->call->placement.slot;
    sp_pool_unlock(stream->pool, after);
    if (told) {
        wake(stream, slot);
    }
}

// From now on its queue is told of a chunk, and of the end. False: there is one
// already. Lock held.
static bool begin_await(struct sp_stream *stream, struct sp_after *after)
{
    struct sp_call *call = stream->call;
    if (sp_stream_has_ended(call)) {
        sp_pool_collect_seat(stream->pool, call->placement.seat, after);
    }
    if (call->phase == SP_CALL_ENDED) {
        return false;
    }
    stream->tail_seen = stream->tube.tail;
    if (call->phase == SP_CALL_PLACED) {
        sp_port_watch_tube(call->placement.seat->port, call->placement.slot);
        if (sp_stream_has_news(call)) {
            return false;
        }
    }
    stream->awaits = true;
    return true;
}

// Does once what a reader that waits does all the time. Lock held, but released while a
// tool of the host runs.
static void poll_once(struct sp_stream *stream, struct sp_after *after)
{
    struct sp_pool *pool = stream->pool;
    struct sp_call *call = stream->call;
    if (call->phase == SP_CALL_PLACED) {
        sp_pool_settle(pool, call, after);
    }
    if (call->phase == SP_CALL_PLACED &&
        sp_port_state(call->placement.seat->port, call->placement.slot) ==
            SP_SLOT_ASKING) {
        sp_pool_serve_question(pool, call, after);
    }
    if (call->phase != SP_CALL_ENDED) {
        sp_pool_expire(pool, call, sp_clock_now(), NULL, after);
    }
}

// What a reader does that has found nothing.
enum patience {
    WAITS,
    POLLS,  // looks once more
    AWAITS, // is told later
    GIVES_UP,
};

// Whether to look again. Lock held, but released meanwhile.
static bool
have_patience(struct sp_stream *stream, enum patience *patience, struct sp_after *after)
{
    switch (*patience) {
    case WAITS:
        sp_pool_wait_once(stream->pool, stream->call, after);
        return true;
    case POLLS:
        poll_once(stream, after);
        *patience = GIVES_UP;
        return true;
    case AWAITS:
        return !begin_await(stream, after);
    default:
        return false;
    }
}

// Looks until there is a chunk to read, the call has ended, or patience does.
static void catch_up(struct sp_stream *stream, enum patience patience)
{
    struct sp_pool *pool = stream->pool;
    struct sp_call *call = stream->call;
    // Its port is pinned only while somebody waits.
    struct sp_after after = {.self = patience == WAITS ? call : NULL};
    bool told;
    bool again = true;
    pthread_mutex_lock(&pool->lock);
    do {
        told = look(stream, &after);
        if (sp_tube_has_more(&stream->tube) || call->phase == SP_CALL_ENDED) {
            again = false;
        } else if (told) {
            unlock(stream, told, &after);
            pthread_mutex_lock(&pool->lock);
        } else {
            again = have_patience(stream, &patience, &after);
        }
    } while (again);
    bool ended = call->phase == SP_CALL_ENDED;
    unlock(stream, told, &after);
    if (ended) {
        open_answer(stream);
    }
}

// The call has ended while a chunk was copied. True: what it left stays readable, so
// the copy is whole.
static bool is_kept(struct sp_stream *stream)
{
    struct sp_after after = {.self = stream->call};
    pthread_mutex_lock(&stream->pool->lock);
    SP_CHECK(stream->call->phase == SP_CALL_ENDED);
    bool kept = stream->kept;
    (void)look(stream, &after);
    sp_pool_unlock(stream->pool, &after);
    open_answer(stream);
    return kept;
}

// ---- Reading ------------------------------------------------------------------

static snakepit_err fail_now(struct sp_stream *stream, snakepit_err err)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&stream->pool->lock);
    fail(stream, err, &after);
    sp_pool_unlock(stream->pool, &after);
    stream->opened = true;
    return stream->call->err;
}

// What is said where there is no chunk.
static snakepit_err end_of(const struct sp_stream *stream)
{
    if (!stream->opened) {
        return SNAKEPIT_AGAIN;
    }
    return stream->call->err == SNAKEPIT_OK ? SNAKEPIT_END : stream->call->err;
}

// A private copy: the worker can write there still.
static snakepit_err copy_piece(struct sp_stream *stream)
{
    struct sp_tube_piece piece;
    snakepit_err err = sp_tube_next(&stream->tube, &piece);
    return err == SNAKEPIT_OK ? sp_buf_append(&stream->chunk, piece.body, piece.size)
                              : err;
}

static snakepit_err next(struct sp_stream *stream, enum patience patience)
{
    bool ready = sp_tube_has_more(&stream->tube) && is_up_to_date(stream) &&
                 !sp_tube_wants_to_tell(&stream->tube);
    if (!ready) {
        catch_up(stream, patience);
    }
    if (!sp_tube_has_more(&stream->tube)) {
        return end_of(stream);
    }
    snakepit_err err = copy_piece(stream);
    if (!is_up_to_date(stream) && !is_kept(stream)) {
        stream->chunk.size = 0;
        return end_of(stream);
    }
    return err == SNAKEPIT_OK ? SNAKEPIT_OK : fail_now(stream, err);
}

static void count_chunk(struct sp_stream *stream)
{
    struct sp_stream_read *read = &stream->read;
    if (!read->any) {
        const uint64_t now = sp_clock_now();
        read->any = true;
        read->first = now > read->begun ? now - read->begun : 1;
    }
    read->pieces++;
    read->bytes += stream->chunk.size;
    if (stream->call->trace != NULL) {
        sp_call_trace_chunk(stream->call);
    }
}

static snakepit_err read_chunk(struct sp_stream *stream, enum patience patience)
{
    if (stream->busy && stream->pool != NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    stream->chunk.size = 0;
    stream->json.size = 0;
    if (stream->pool == NULL) {
        return stream->call->err;
    }
    stream->busy = true;
    snakepit_err err = next(stream, patience);
    stream->busy = false;
    if (err == SNAKEPIT_OK) {
        count_chunk(stream);
    }
    return err;
}

snakepit_err sp_stream_next(struct sp_stream *stream)
{
    return stream->pool != NULL && stream->call->reports ? SNAKEPIT_INVALID_ARGUMENT
                                                         : read_chunk(stream, WAITS);
}

snakepit_err sp_stream_try_next(struct sp_stream *stream)
{
    return read_chunk(stream, stream->call->reports ? AWAITS : POLLS);
}

struct sp_stream *sp_stream_take_readable(struct sp_pool *pool, uint32_t queue)
{
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        struct sp_call *call = sp_lane_take_readable(&pool->lanes[queue]);
        bool left = call != NULL && call->stream->left;
        pthread_mutex_unlock(&pool->lock);
        if (!left) {
            return call == NULL ? NULL : call->stream;
        }
        sp_stream_close(call->stream);
    }
}

// ---- Ends ---------------------------------------------------------------------

// Of one that reports. False: a tool of the host runs for its call, and it is freed
// when that has returned. Lock held.
static bool leave_queue(struct sp_stream *stream, struct sp_after *after)
{
    struct sp_call *call = stream->call;
    struct sp_lane *lane = sp_pool_lane(stream->pool, call);
    stream->awaits = false;
    sp_lane_drop_readable(lane, call);
    if (sp_stream_has_ended(call)) {
        sp_pool_collect_seat(stream->pool, call->placement.seat, after);
    }
    stream->left = call->inquiry.serving;
    lane->open -= stream->left ? 0 : 1;
    return !stream->left;
}

// Ends the call; one that has ended already is not cancelled. False: see leave_queue().
static bool end_call(struct sp_stream *stream)
{
    struct sp_pool *pool = stream->pool;
    struct sp_call *call = stream->call;
    struct sp_after after = {0};
    bool free = true;
    pthread_mutex_lock(&pool->lock);
    tell_read(stream);
    if (call->reports) {
        free = leave_queue(stream, &after);
    } else if (sp_stream_has_ended(call)) {
        sp_pool_settle(pool, call, &after);
    }
    sp_pool_give_up(pool, call, SNAKEPIT_CANCELLED, &after);
    sp_pool_unlock(pool, &after);
    return free;
}

// Takes the call, which has ended, out of the stream.
static struct sp_call *detach(struct sp_stream *stream)
{
    struct sp_call *call = stream->call;
    if (!stream->opened) {
        sp_call_open(call);
    }
    call->stream = NULL;
    stream->call = NULL;
    return call;
}

struct sp_call *sp_stream_finish(struct sp_stream *stream)
{
    if (stream->pool != NULL) {
        (void)end_call(stream);
    }
    return detach(stream);
}

void sp_stream_close(struct sp_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    SP_CHECK(stream->magic == SP_STREAM_MAGIC);
    if (stream->busy) {
        if (stream->pool != NULL) {
            (void)end_call(stream); // whoever reads it closes it
        }
        return;
    }
    if (stream->call != NULL) {
        if (stream->pool != NULL && !end_call(stream)) {
            return;
        }
        sp_pool_release(detach(stream));
    }
    if (stream->port != NULL) {
        sp_port_unref(stream->port);
    }
    sp_buf_fini(&stream->chunk);
    sp_buf_fini(&stream->json);
    stream->magic = 0;
    sp_free(stream);
}
