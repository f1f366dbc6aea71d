// SPDX-License-Identifier: MIT
// Which worker gets which call, and when: the least loaded seat, what a session prefers
// or insists on, and whose turn it is in the lines.
#include "pool/schedule.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/probes.h"
#include "ipc/wait.h"
#include "pool/affinity.h"
#include "pool/guard.h"
#include "pool/held.h"
#include "pool/inside.h"
#include "pool/placement.h"
#include "pool/question.h"

// A worker is handed calls in advance as long as they would take less than this to run:
// long enough that it never waits for its host, short enough that nobody waits behind
// it.
#define PREFETCH_US 200u

// ---- Room ---------------------------------------------------------------------

// Slots beyond one for each executor.
static uint32_t spare_slots(const struct sp_seat *seat)
{
    uint32_t slots = seat->port->view.shape.slots - seat->capacity;
    // Some are kept free for calls from within the host's tools.
    return slots - (slots > 2 * SP_QUESTIONS_NESTED ? SP_QUESTIONS_NESTED : 0);
}

static uint32_t prefetch_of(const struct sp_pool *pool, const struct sp_seat *seat)
{
    uint32_t slots = spare_slots(seat);
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

static bool has_room(const struct sp_pool *pool, const struct sp_seat *seat)
{
    return !seat->spent && (seat->load < seat->capacity ||
                            seat->load < seat->capacity + prefetch_of(pool, seat));
}

// A tool that takes many calls at once finds them in its worker. So a seat has room for
// as many of its calls as all executors take, and for the next ones of one executor;
// but not for one that others wait for a turn before.
static bool may_join(const struct sp_pool *pool,
                     const struct sp_seat *seat,
                     const struct sp_call *call)
{
    bool is_next = call->phase == SP_CALL_IN_LINE || sp_list_empty(&pool->line.calls);
    if (seat->batches.size == 0 || seat->spent || call->tie != NULL || !is_next ||
        !sp_list_empty(&seat->waiting)) {
        return false;
    }
    uint64_t most = sp_seat_batch_of(seat, sp_parcel_tool(&pool->store, call->parcel));
    uint64_t next = pool->options.prefetch == 0 ? 0 : most;
    uint32_t taken = seat->load + seat->skips_due; // of its slots
    return most > 1 && seat->load < seat->capacity * most + next &&
           taken < seat->capacity + spare_slots(seat);
}

// It may be given one call less. After the last one nobody chooses it any more; what
// is tied to it learns of that when the loop has looked. A pool that closes gets no
// other worker, and finishes with those that it has.
static void spend(struct sp_pool *pool, struct sp_seat *seat)
{
    if (pool->state != SP_POOL_STOPPING && --seat->left == 0) {
        seat->spent = true;
        sp_loads_remove(&pool->loads, seat);
        pool->hooks.attention(pool->hooks.user);
    }
}

static bool may_serve_on(const struct sp_seat *seat)
{
    return seat->spent && !seat->open && !seat->leaves && !seat->dead &&
           !seat->violated && !seat->silent && seat->kill_reason == NULL;
}

void sp_schedule_let_spent_serve(struct sp_pool *pool)
{
    bool is_needed = pool->state == SP_POOL_STOPPING && pool->loads.count == 0;
    for (struct sp_link *link = pool->seats.next; is_needed && link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (may_serve_on(seat)) {
            seat->spent = false;
            sp_loads_add(&pool->loads, seat);
            pool->freed = true;
        }
    }
}

// ---- What a session prefers ---------------------------------------------------

static bool has_free_executor(const struct sp_seat *seat)
{
    return seat->open && seat->load < seat->capacity;
}

static enum sp_placed
choose_strictly(const struct sp_pool *pool, struct sp_tie *tie, struct sp_seat **seat)
{
    if (sp_affinity_take_loss(pool, tie)) {
        return SP_LOST;
    }
    if (tie->seat == NULL) {
        return SP_PLACED;
    }
    *seat = tie->seat;
    if (pool->options.affinity == SP_AFFINITY_STRICT_FAIL_FAST) {
        return has_free_executor(tie->seat) ? SP_PLACED : SP_BUSY;
    }
    bool takes_it = tie->seat->open && has_room(pool, tie->seat);
    return takes_it ? SP_PLACED : SP_WAITS;
}

static enum sp_placed
choose(const struct sp_pool *pool, struct sp_call *call, struct sp_seat **seat)
{
    struct sp_tie *tie = call->tie;
    if (sp_affinity_is_strict(pool)) {
        return choose_strictly(pool, tie, seat);
    }
    (void)sp_affinity_take_loss(pool, tie);
    // Otherwise: another worker may be idle, while here the call would only wait.
    if (tie->seat != NULL && has_free_executor(tie->seat)) {
        *seat = tie->seat;
    }
    return SP_PLACED;
}

// ---- Placing ------------------------------------------------------------------

static void ring_later(struct sp_port *port, struct sp_after *after)
{
    if (after->self != NULL && after->self->placement.seat != NULL &&
        after->self->placement.seat->port == port &&
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
        (void)sp_port_ring(port);
    }
}

// Puts a call onto a seat. False: the seat has no slot or no lease left for it.
static bool place_on(struct sp_pool *pool,
                     struct sp_seat *seat,
                     struct sp_call *call,
                     struct sp_after *after)
{
    struct sp_slot_request request;
    if (!sp_placement_take_lease(call, seat)) {
        return false;
    }
    sp_call_describe(call, &request);
    request.deadline = sp_pool_told_deadline(pool, call);
    if (!sp_port_submit(
            seat->port, &request, call->reports, call, &call->placement.slot)) {
        sp_placement_end_lease(pool, call, seat, false);
        return false;
    }
    sp_placement_begin(pool, call, seat, false);
    spend(pool, seat);
    if (call->tie != NULL) {
        sp_affinity_placed(call, seat);
    }
    call->likely =
        pool->placed == 1 ? &seat->port->view.slots[call->placement.slot] : NULL;
    sp_loads_set_load(&pool->loads, seat, seat->load + 1);
    sp_held_placed(pool);
    sp_times_placed(&pool->times, call);
    SP_PROBE3(call_placed, call->id, seat->worker_id, seat->load);
    ring_later(seat->port, after);
    return true;
}

// Any seat with room and a free lease, for a call whose first choice had none.
static struct sp_seat *find_seat_with_lease(struct sp_pool *pool)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->open && seat->free_lease != SP_NO_LEASE && has_room(pool, seat)) {
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
sp_schedule_place(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_seat *seat = sp_loads_least(&pool->loads);
    bool tied = false;
    if (call->tie != NULL) {
        enum sp_placed placed = choose(pool, call, &seat);
        if (placed != SP_PLACED) {
            return placed;
        }
        tied = sp_affinity_binds(pool, call) && call->tie->seat != NULL;
    }
    if (seat == NULL || (!has_room(pool, seat) && !may_join(pool, seat, call))) {
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

const struct sp_failure *sp_schedule_refusal(enum sp_placed placed)
{
    static const struct sp_failure unleased = {
        .err = SNAKEPIT_NO_MEMORY,
        .message =
            "Python still holds the tensors of too many earlier calls; drop them",
        .stage = "line",
    };
    static const struct sp_failure busy = {.err = SNAKEPIT_WORKER_BUSY,
                                           .stage = "line"};
    static const struct sp_failure lost = {.err = SNAKEPIT_SESSION_LOST,
                                           .stage = "line"};
    switch (placed) {
    case SP_UNLEASED:
        return &unleased;
    case SP_BUSY:
        return &busy;
    case SP_LOST:
        return &lost;
    default:
        return NULL;
    }
}

// ---- The lines ----------------------------------------------------------------

// A call that is not to run any more: its time is up, or its tool fails.
static bool
end_if_void(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_failure failure = {.err = SNAKEPIT_OK, .stage = "line"};
    if (sp_clock_coarse() >= call->line_deadline) {
        failure.err = SNAKEPIT_DEADLINE_EXCEEDED;
    } else if (sp_guard_refuses(pool, call)) {
        failure.err = SNAKEPIT_BREAKER_OPEN;
    }
    if (failure.err != SNAKEPIT_OK) {
        sp_pool_fail_call(pool, call, &failure, after);
    }
    return failure.err != SNAKEPIT_OK;
}

// The call whose turn it is at a seat, out of its line; NULL.
static struct sp_call *take_turn(struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_call *call = sp_line_first(&seat->waiting);
    const struct sp_call *other = sp_line_first(&pool->line.calls);
    if (call == NULL || !seat->open || !has_room(pool, seat) ||
        (other != NULL && other->rank < call->rank)) {
        return NULL;
    }
    sp_line_remove(&pool->line, call);
    return call;
}

static void
serve_seat(struct sp_pool *pool, struct sp_seat *seat, struct sp_after *after)
{
    struct sp_call *call;
    while ((call = take_turn(pool, seat)) != NULL) {
        if (end_if_void(pool, call, after)) {
            continue;
        }
        enum sp_placed placed = sp_schedule_place(pool, call, after);
        const struct sp_failure *refusal = sp_schedule_refusal(placed);
        if (placed == SP_PLACED) {
            sp_pool_moved(call, after);
        } else if (refusal != NULL) {
            sp_pool_fail_call(pool, call, refusal, after);
        } else {
            // No slot after all: they come back from the worker one by one.
            sp_line_put_sorted(&pool->line, &seat->waiting, call);
            return;
        }
    }
}

static void serve_lines_of_seats(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_link *next;
    for (struct sp_link *link = pool->waited_for.next; link != &pool->waited_for;
         link = next) {
        next = link->next;
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, waited_for);
        serve_seat(pool, seat, after);
        if (sp_list_empty(&seat->waiting)) {
            sp_list_remove(link);
        }
    }
}

// The newest call that waits inside a worker behind others and may go elsewhere, or
// NULL. One that was given all that it may runs exactly that many.
static struct sp_call *steal_from(const struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_link *link = seat->calls.previous;
    uint32_t load = seat->spent ? 0 : seat->load;
    for (; load > seat->capacity && link != &seat->calls;
         load--, link = link->previous) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, placement.link);
        if (!call->checks && !sp_affinity_binds(pool, call)) {
            return call;
        }
    }
    return NULL;
}

// A worker has nothing to do while another one has calls in advance: one of them moves.
static void balance(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_seat *idle = sp_loads_least(&pool->loads);
    if (idle == NULL || idle->load > 0 || pool->loads.crowded == 0) {
        return;
    }
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_call *call = steal_from(pool, SP_ENTRY(link, struct sp_seat, member));
        if (call == NULL ||
            !sp_port_take_back(call->placement.seat->port, call->placement.slot)) {
            continue;
        }
        struct sp_seat *former = call->placement.seat;
        sp_pool_unplace(pool, call);
        sp_pool_await_skip(pool, former);
        former->left++;
        if (!place_on(pool, idle, call, after)) {
            sp_line_put_sorted(&pool->line, &pool->line.calls, call);
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
        serve_lines_of_seats(pool, after);
    }
    struct sp_call *call;
    do {
        call = sp_line_take(&pool->line);
    } while (call != NULL && end_if_void(pool, call, after));
    return call;
}

void sp_schedule_run(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_call *call;
    while (pool->line.count > 0 && (call = take_from_line(pool, after)) != NULL) {
        enum sp_placed placed = sp_schedule_place(pool, call, after);
        if (placed == SP_NO_ROOM) {
            sp_line_put_first(&pool->line, call);
            return;
        }
        if (placed == SP_PLACED) {
            sp_pool_moved(call, after);
        } else if (placed == SP_WAITS) {
            sp_affinity_wait(pool, call);
        } else {
            sp_pool_fail_call(pool, call, sp_schedule_refusal(placed), after);
        }
    }
    if (pool->loads.count > 1) {
        balance(pool, after);
    }
}
