// SPDX-License-Identifier: MIT
// The sweep is due when the first of those that wait now may be late. Most end their
// wait in time: so to begin one rarely touches the timer, and to end one never does.
#include "server/waits.h"

#include "base/clock.h"

static uint64_t due_of(const struct sp_waits *waits, const struct sp_wait *wait)
{
    return wait->since + waits->limits_ms[wait->what] * SP_NS_PER_MS;
}

static void on_sweep(struct sp_timer *timer);

static void sweep_at(struct sp_waits *waits, uint64_t due, uint64_t now)
{
    if (!sp_timer_runs(&waits->sweep) || waits->sweep.due > due) {
        uint64_t ms = due > now ? (due - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS : 0;
        sp_timer_start(waits->loop, &waits->sweep, on_sweep, ms, 0);
    }
}

static void tell_late(struct sp_waits *waits, enum sp_wait_for what, uint64_t now)
{
    struct sp_link *list = &waits->lists[what];
    while (!sp_list_empty(list)) {
        struct sp_wait *first = SP_ENTRY(list->next, struct sp_wait, link);
        if (due_of(waits, first) > now) {
            sweep_at(waits, due_of(waits, first), now);
            break;
        }
        sp_wait_begin(waits, first, SP_WAIT_NOTHING);
        waits->late(first, what);
    }
}

static void on_sweep(struct sp_timer *timer)
{
    struct sp_waits *waits = timer->user;
    uint64_t now = sp_clock_now();
    for (int what = 0; what < SP_WAITS; what++) {
        if (waits->limits_ms[what] > 0) {
            tell_late(waits, (enum sp_wait_for)what, now);
        }
    }
}

void sp_waits_init(struct sp_waits *waits,
                   struct sp_loop *loop,
                   const uint32_t limits_ms[SP_WAITS],
                   sp_late_fn *late)
{
    *waits = (struct sp_waits){.loop = loop, .late = late, .sweep = {.user = waits}};
    for (int what = 0; what < SP_WAITS; what++) {
        waits->limits_ms[what] = limits_ms[what];
        sp_list_init(&waits->lists[what]);
    }
    waits->limits_ms[SP_WAIT_NOTHING] = 0;
}

void sp_waits_fini(struct sp_waits *waits)
{
    sp_timer_stop(&waits->sweep);
}

void sp_wait_begin(struct sp_waits *waits, struct sp_wait *wait, enum sp_wait_for what)
{
    sp_wait_end(wait);
    wait->what = what;
    sp_list_append(&waits->lists[what], &wait->link);
    if (waits->limits_ms[what] > 0) {
        wait->since = sp_clock_now();
        sweep_at(waits, due_of(waits, wait), wait->since);
    }
}

void sp_wait_end(struct sp_wait *wait)
{
    if (sp_link_used(&wait->link)) {
        sp_list_remove(&wait->link);
    }
}
