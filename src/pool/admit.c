// SPDX-License-Identifier: MIT
// How a call gets to a worker: straight into a slot if one has room, into the line
// otherwise. The request is written to shared memory before, without the lock, so under
// the lock there is nothing but a few links and one line of the slot.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/prefetch.h"
#include "ipc/futex.h"
#include "ipc/wait.h"
#include "pool/affinity.h"
#include "pool/question.h"
#include "pool/spares.h"
#include "pool/stream.h"

// A worker is handed calls in advance as long as they would take less than this to run:
// long enough that it never waits for its host, short enough that nobody waits behind
// it.
#define PREFETCH_US 200u

static _Thread_local struct sp_patience patience;

// ---- Making a call ------------------------------------------------------------

static uint64_t in_ms(uint64_t now, uint32_t timeout_ms)
{
    return timeout_ms == 0 ? SP_NEVER : now + timeout_ms * SP_NS_PER_MS;
}

// A long deadline may be a tick of the kernel early; a short one is exact.
#define LONG_MS 1000u

static uint64_t clock_for(uint32_t timeout_ms, uint32_t line_ms)
{
    bool is_long = (timeout_ms == 0 || timeout_ms >= LONG_MS) &&
                   (line_ms == 0 || line_ms >= LONG_MS);
    return is_long ? sp_clock_coarse() : sp_clock_now();
}

static void set_deadlines(struct sp_call *call, uint32_t timeout_ms, uint64_t begun)
{
    const struct sp_pool_options *options = &call->pool->options;
    uint32_t whole = timeout_ms != 0 ? timeout_ms : options->call_timeout_ms;
    uint64_t now = begun != 0 ? begun : clock_for(whole, options->queue_timeout_ms);
    call->deadline = in_ms(now, whole);
    uint64_t line = in_ms(now, options->queue_timeout_ms);
    call->line_deadline = line < call->deadline ? line : call->deadline;
}

static snakepit_err
prepare(struct sp_call *call, const struct sp_request_text *text, uint32_t timeout_ms)
{
    struct sp_store *store = &call->pool->store;
    if (call->likely != NULL) {
        // The worker had these lines last; they travel while the arguments are written.
        sp_prefetch_for_write(&call->likely->request);
        sp_prefetch_for_write(&call->likely->result);
    }
    set_deadlines(call, timeout_ms, text->begun);
    if (call->parcel == NULL) {
        snakepit_err err = sp_parcel_new(store, &call->parcel);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    snakepit_err err = sp_parcel_fill(store, call->parcel, text);
    // Reading the arguments may have taken all of its time.
    bool late = text->begun != 0 && sp_clock_now() >= call->deadline;
    return err == SNAKEPIT_OK && late ? SNAKEPIT_DEADLINE_EXCEEDED : err;
}

// Gives the worker its memory back.
static void release_result(struct sp_call *call)
{
    struct sp_port *port = call->port;
    pthread_mutex_lock(&call->pool->lock);
    sp_port_return_result(port, call->result_lease);
    pthread_mutex_unlock(&call->pool->lock);
    sp_port_unref(port);
    call->port = NULL;
    call->result_lease = SP_NO_LEASE;
}

void sp_pool_release(struct sp_call *call)
{
    struct sp_pool *pool = call->pool;
    SP_CHECK(call->phase == SP_CALL_ENDED);
    if (pool == NULL || !sp_call_is_here(call)) {
        sp_call_free(call);
        return;
    }
    if (call->parcel != NULL) {
        sp_parcel_empty(&pool->store, call->parcel);
    }
    if (call->port != NULL) {
        release_result(call);
    }
    sp_call_reset(call);
    sp_spares_put(pool, call);
}

// ---- Placing ------------------------------------------------------------------

static uint32_t prefetch_of(const struct sp_pool *pool, const struct sp_seat *seat)
{
    uint32_t slots = seat->port->view.shape.slots - seat->capacity;
    // Some are left for calls from within the host's tools.
    slots -= slots > 2 * SP_QUESTIONS_NESTED ? SP_QUESTIONS_NESTED : 0;
    if (pool->options.prefetch != UINT32_MAX) {
        return pool->options.prefetch < slots ? pool->options.prefetch : slots;
    }
    if (pool->ran_average == 0) {
        return 0;
    }
    uint64_t budget = PREFETCH_US * sp_clock_ticks_per_us() * seat->capacity;
    uint64_t calls = budget / pool->ran_average;
    return calls < slots ? (uint32_t)calls : slots;
}

static void ring_later(struct sp_port *port, struct sp_after *after)
{
    if (after->self != NULL && after->self->seat != NULL &&
        after->self->seat->port == port &&
        (after->own_port == NULL || after->own_port == port)) {
        after->own_port = port; // pinned by the wait that follows
        after->own_rings++;
        return;
    }
    for (uint32_t i = 0; i < after->port_count; i++) {
        if (after->ports[i] == port) {
            after->rings[i]++;
            return;
        }
    }
    if (after->port_count < SP_AFTER_MOST) {
        sp_port_ref(port);
        after->rings[after->port_count] = 1;
        after->ports[after->port_count++] = port;
    } else {
        sp_bell_ring(&port->view.header->bell);
    }
}

// Puts a call onto a seat. False: the seat has no slot or no lease left for it.
static bool place_on(struct sp_pool *pool,
                     struct sp_seat *seat,
                     struct sp_call *call,
                     struct sp_after *after)
{
    call->request_lease = SP_NO_LEASE;
    if (call->parcel->share_count > 0) {
        call->request_lease = sp_seat_take_lease(seat);
        if (call->request_lease == SP_NO_LEASE) {
            return false;
        }
    }
    struct sp_slot_request request;
    sp_call_describe(call, &request);
    if (!sp_port_submit(seat->port, &request, call->asynchronous, call, &call->slot)) {
        if (call->request_lease != SP_NO_LEASE) {
            sp_seat_end_lease(
                &pool->store, seat, call->request_lease, call->parcel, false);
        }
        return false;
    }
    call->phase = SP_CALL_PLACED;
    call->seat = seat;
    if (call->tie != NULL) {
        sp_affinity_placed(call, seat);
    }
    sp_list_append(&seat->calls, &call->seat_link);
    pool->placed++;
    call->likely = pool->placed == 1 ? &seat->port->view.slots[call->slot] : NULL;
    sp_schedule_set_load(&pool->schedule, seat, seat->load + 1);
    ring_later(seat->port, after);
    return true;
}

bool sp_pool_has_room(const struct sp_pool *pool, const struct sp_seat *seat)
{
    return seat->load < seat->capacity ||
           seat->load < seat->capacity + prefetch_of(pool, seat);
}

// Any seat with room and a free lease, for a call whose first choice had none.
static struct sp_seat *find_seat_with_lease(struct sp_pool *pool)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->open && seat->free_lease != SP_NO_LEASE &&
            sp_pool_has_room(pool, seat)) {
            return seat;
        }
    }
    return NULL;
}

// The seat, or another one, that has a lease for the call's tensors; NULL.
static struct sp_seat *with_lease(struct sp_pool *pool, struct sp_seat *seat, bool tied)
{
    if (seat->free_lease == SP_NO_LEASE) {
        sp_pool_take_returns(pool, seat);
    }
    if (seat->free_lease != SP_NO_LEASE) {
        return seat;
    }
    return tied ? NULL : find_seat_with_lease(pool);
}

enum sp_placed
sp_pool_place(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_seat *seat = sp_schedule_least(&pool->schedule);
    bool tied = false;
    if (call->tie != NULL) {
        enum sp_placed placed = sp_affinity_choose(pool, call, &seat);
        if (placed != SP_PLACED) {
            return placed;
        }
        tied = sp_affinity_binds(pool, call) && call->tie->seat != NULL;
    }
    if (seat == NULL || !sp_pool_has_room(pool, seat)) {
        return SP_NO_ROOM;
    }
    if (call->parcel->share_count > 0) {
        seat = with_lease(pool, seat, tied);
        if (seat == NULL) {
            return SP_UNLEASED;
        }
    }
    if (!place_on(pool, seat, call, after)) {
        return tied ? SP_WAITS : SP_NO_ROOM;
    }
    return SP_PLACED;
}

// The newest call that waits inside a worker behind others and may go elsewhere, or
// NULL.
static struct sp_call *steal_from(const struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_link *link = seat->calls.previous;
    for (uint32_t load = seat->load; load > seat->capacity && link != &seat->calls;
         load--, link = link->previous) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, seat_link);
        if (!sp_affinity_binds(pool, call)) {
            return call;
        }
    }
    return NULL;
}

// A worker has nothing to do while another one has calls in advance: one of them moves.
static void balance(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_seat *idle = sp_schedule_least(&pool->schedule);
    if (idle == NULL || idle->load > 0 || pool->schedule.crowded == 0) {
        return;
    }
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_call *call = steal_from(pool, SP_ENTRY(link, struct sp_seat, member));
        if (call == NULL || !sp_port_take_back(call->seat->port, call->slot)) {
            continue;
        }
        struct sp_seat *former = call->seat;
        sp_pool_unplace(pool, call);
        sp_pool_await_passing(pool, former);
        if (!place_on(pool, idle, call, after)) {
            sp_line_put_first(&pool->line, call);
        }
        sp_pool_moved(call, after);
        return;
    }
}

// The first call of the line that still has time, once those that wait for one worker
// have had their turn; those before it end.
static struct sp_call *take_from_line(struct sp_pool *pool, struct sp_after *after)
{
    if (!sp_list_empty(&pool->waited_for)) {
        sp_affinity_serve(pool, after);
    }
    struct sp_call *call;
    do {
        call = sp_line_take(&pool->line);
    } while (call != NULL && sp_pool_end_if_late(pool, call, after));
    return call;
}

void sp_pool_dispatch(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_call *call;
    while (pool->line.count > 0 && (call = take_from_line(pool, after)) != NULL) {
        enum sp_placed placed = sp_pool_place(pool, call, after);
        if (placed == SP_NO_ROOM) {
            sp_line_put_first(&pool->line, call);
            return;
        }
        if (placed == SP_PLACED) {
            sp_pool_moved(call, after);
        } else if (placed == SP_WAITS) {
            sp_affinity_wait(pool, call);
        } else {
            sp_pool_fail_call(pool, call, sp_pool_refusal(placed), after);
        }
    }
    if (!sp_list_empty(&pool->seats) && pool->schedule.count > 1) {
        balance(pool, after);
    }
}

// ---- Admission ----------------------------------------------------------------

// Into a slot or into the line; or not at all.
static snakepit_err
admit(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    snakepit_err err = sp_pool_refuses(pool);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    call->id = ++pool->last_call << 12 | pool->options.index;
    if (call->parcel->session_size > 0) {
        return sp_affinity_admit(pool, call, after);
    }
    err = sp_question_place(pool, call);
    if (err != SNAKEPIT_NOT_FOUND) {
        return err;
    }
    if (!sp_list_empty(&pool->line.calls)) {
        return sp_line_put(&pool->line, call);
    }
    enum sp_placed placed = sp_pool_place(pool, call, after);
    if (placed == SP_UNLEASED) {
        sp_call_set_failure(call, sp_pool_refusal(placed));
        return SNAKEPIT_NO_MEMORY;
    }
    return placed == SP_PLACED ? SNAKEPIT_OK : sp_line_put(&pool->line, call);
}

static void refuse(struct sp_pool *pool,
                   struct sp_call *call,
                   snakepit_err err,
                   struct sp_after *after)
{
    struct sp_failure failure = {.err = err, .stage = "line"};
    if (err == SNAKEPIT_POOL_FAILED || err == SNAKEPIT_POOL_DOWN) {
        failure.message = pool->failure;
    } else if (err == SNAKEPIT_NO_MEMORY) {
        failure.message = "the arguments do not fit into what is left of the pool's "
                          "shared_memory_size; raise it, or free tensors";
    }
    if (call->err == SNAKEPIT_OK) {
        sp_pool_tell(call, &failure);
    }
    sp_pool_end(pool, call, after);
}

// ---- Synchronous calls --------------------------------------------------------

// Sleeps on the call's own word until it is moved. The lock is released meanwhile.
static void
wait_in_line(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    uint32_t seen = atomic_load_explicit(&call->moves, memory_order_acquire);
    uint64_t deadline = call->line_deadline;
    sp_pool_unlock(pool, after);
    (void)sp_futex_wait(&call->moves, seen, deadline);
    pthread_mutex_lock(&pool->lock);
}

static void
wait_in_slot(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_port *port = call->seat->port;
    uint32_t slot = call->slot;
    port->pins++;
    struct sp_wait wait = {
        .patience = &patience,
        .peer_cpu = &port->view.header->worker_cpu,
        .waiting = port->view.shape.waiting,
        .deadline = call->deadline,
        .moves = &call->moves,
        .moves_seen = atomic_load_explicit(&call->moves, memory_order_acquire),
        .tube = call->stream != NULL,
        .tail_seen = call->stream != NULL ? call->stream->tube.tail : 0,
    };
    sp_pool_unlock(pool, after);
    wait.woke = after->woke;
    (void)sp_wait_slot(&port->view.slots[slot], &wait);
    // Its line travels while we take the lock.
    __builtin_prefetch(port->results.base + (size_t)slot * SP_INLINE_RESULT);
    after->woke = false;
    pthread_mutex_lock(&pool->lock);
    if (call->phase == SP_CALL_PLACED && call->seat->port == port &&
        call->slot == slot) {
        sp_pool_settle(pool, call, after);
    }
    if (call->phase == SP_CALL_PLACED && call->seat->port == port &&
        sp_port_state(port, call->slot) == SP_SLOT_ASKING) {
        sp_pool_serve_question(pool, call, after);
    }
    sp_port_unpin(port);
}

void sp_pool_wait_once(struct sp_pool *pool,
                       struct sp_call *call,
                       struct sp_after *after)
{
    if (call->phase == SP_CALL_PLACED) {
        wait_in_slot(pool, call, after);
    } else {
        wait_in_line(pool, call, after);
    }
    if (call->phase != SP_CALL_ENDED) {
        sp_pool_expire(pool, call, sp_clock_now(), after);
    }
}

static void
wait_for_end(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    while (call->phase != SP_CALL_ENDED) {
        sp_pool_wait_once(pool, call, after);
    }
}

snakepit_err sp_pool_call(struct sp_pool *pool,
                          const struct sp_request_text *text,
                          uint32_t timeout_ms,
                          struct sp_call **call)
{
    struct sp_after after = {0};
    *call = sp_spares_take(pool);
    if (*call == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    after.self = *call;
    snakepit_err err = prepare(*call, text, timeout_ms);
    bool within = sp_question_is_open();
    if (within) {
        sp_question_limit(*call);
    }
    pthread_mutex_lock(&pool->lock);
    if (err == SNAKEPIT_OK) {
        err = admit(pool, *call, &after);
    }
    if (err != SNAKEPIT_OK) {
        refuse(pool, *call, err, &after);
    }
    wait_for_end(pool, *call, &after);
    if (within) {
        sp_question_resume(pool, &after);
    }
    sp_pool_unlock(pool, &after);
    sp_call_open(*call);
    return (*call)->err;
}

// ---- Asynchronous calls -------------------------------------------------------

// Ends a call that was not handed over.
static void give_back(struct sp_call *call, snakepit_message *why)
{
    if (why != NULL) {
        (void)snprintf(why->text, sizeof why->text, "%s", call->fault.message);
    }
    sp_pool_release(call);
}

snakepit_err sp_pool_submit(struct sp_pool *pool,
                            const struct sp_request_text *text,
                            uint32_t timeout_ms,
                            const struct sp_submission *submission)
{
    struct sp_after after = {0};
    struct sp_call *call = sp_spares_take(pool);
    if (call == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = prepare(call, text, timeout_ms);
    call->done = submission->done;
    call->user = submission->user;
    pthread_mutex_lock(&pool->lock);
    bool first = sp_list_empty(&pool->asyncs);
    if (err == SNAKEPIT_OK) {
        call->asynchronous = true;
        err = admit(pool, call, &after);
    }
    if (err == SNAKEPIT_OK) {
        sp_list_append(&pool->asyncs, &call->async_link);
        if (first) {
            pool->hooks.attention(pool->hooks.user);
        }
        if (submission->id != NULL) {
            *submission->id = call->id;
        }
    } else {
        call->asynchronous = false;
        refuse(pool, call, err, &after);
    }
    sp_pool_unlock(pool, &after);
    if (err != SNAKEPIT_OK) {
        give_back(call, submission->why);
    }
    return err;
}

// ---- Streams ------------------------------------------------------------------

snakepit_err sp_pool_begin_stream(struct sp_pool *pool,
                                  const struct sp_request_text *text,
                                  uint32_t timeout_ms,
                                  struct sp_stream *stream)
{
    struct sp_after after = {0};
    struct sp_call *call = sp_spares_take(pool);
    stream->call = call;
    if (call == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = prepare(call, text, timeout_ms);
    pthread_mutex_lock(&pool->lock);
    if (err == SNAKEPIT_OK) {
        sp_question_limit(call);
        call->stream = stream;
        err = admit(pool, call, &after);
    }
    if (err == SNAKEPIT_OK) {
        // The tick watches it as long as nobody reads.
        if (sp_list_empty(&pool->asyncs)) {
            pool->hooks.attention(pool->hooks.user);
        }
        sp_list_append(&pool->asyncs, &call->async_link);
    } else {
        call->stream = NULL;
        call->id = 0; // there is nothing to cancel
        refuse(pool, call, err, &after);
    }
    stream->moves_seen = atomic_load_explicit(&call->moves, memory_order_relaxed);
    sp_pool_unlock(pool, &after);
    return err;
}
