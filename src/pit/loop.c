// SPDX-License-Identifier: MIT
// The control plane's thread. It sleeps unless a worker does something or a timer is
// due; the tick runs only while calls need somebody to watch their time. Once a second
// it gives memory back that no call has needed since.
#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/system.h"
#include "base/thread.h"
#include "ipc/futex.h"
#include "pit/pit.h"

#define TICK_MS  10u
#define QUIET_NS SP_NS_PER_S // the tick stops after so long without a reason for it
#define TIDY_MS  1000u

// ---- The tick -----------------------------------------------------------------

static bool tick_all(snakepit *pit)
{
    bool again = false;
    uint64_t now = sp_clock_now();
    for (size_t i = 0; i < pit->count; i++) {
        again |= sp_pit_tick_pool(pit->pools[i], now);
        again |= sp_pit_go_on_removing(pit->pools[i], now);
    }
    return again;
}

static void on_tick(struct sp_timer *timer)
{
    snakepit *pit = timer->user;
    uint64_t now = sp_clock_now();
    if (tick_all(pit)) {
        pit->quiet_since = now;
    } else if (now - pit->quiet_since >= QUIET_NS) {
        sp_timer_stop(timer);
        atomic_store(&pit->ticking, false);
        // Whoever asked just before the flag fell was not heard.
        if (tick_all(pit)) {
            sp_pit_attention(pit);
        }
    }
}

void sp_pit_attention(void *user)
{
    snakepit *pit = user;
    if (!atomic_load_explicit(&pit->ticking, memory_order_seq_cst) &&
        !atomic_exchange(&pit->ticking, true)) {
        sp_loop_wake(&pit->loop);
    }
}

void sp_pit_changed(void *user)
{
    snakepit *pit = user;
    atomic_fetch_add_explicit(&pit->changes, 1, memory_order_release);
    sp_futex_wake(&pit->changes, INT32_MAX);
}

// ---- Sessions -----------------------------------------------------------------

void sp_pit_watch_sessions(void *user)
{
    snakepit *pit = user;
    sp_loop_wake(&pit->loop);
}

static void on_sweep(struct sp_timer *timer)
{
    snakepit *pit = timer->user;
    uint64_t next = sp_sessions_sweep(&pit->sessions);
    if (next != SP_NEVER) {
        // After it, not just before it: the coarse clock is up to a tick late.
        uint64_t now = sp_clock_now();
        uint64_t ms = next > now ? (next - now) / SP_NS_PER_MS : 0;
        sp_timer_start(&pit->loop, timer, on_sweep, ms + TICK_MS, 0);
    }
}

// ---- Memory -------------------------------------------------------------------

// The workers do the same at each heartbeat, for what they have answered.
static void on_tidy(struct sp_timer *timer)
{
    snakepit *pit = timer->user;
    for (size_t i = 0; i < pit->count; i++) {
        sp_arena_tidy(&sp_pool_store(pit->pools[i]->pool)->arena);
        if (!sp_pit_is_connected(pit)) {
            sp_fleet_look(&pit->pools[i]->fleet);
            sp_pit_note_past(pit->pools[i]);
            sp_pit_note_growth(pit->pools[i]);
        }
    }
}

// ---- Stop ---------------------------------------------------------------------

// The pools that were removed have.
static void end_if_all_have_stopped(snakepit *pit)
{
    if (atomic_load(&pit->stop) && pit->fleets_stopped == pit->count) {
        sp_loop_stop(&pit->loop);
    }
}

void sp_pit_fleet_stopped(void *user)
{
    snakepit *pit = user;
    pit->fleets_stopped++;
    end_if_all_have_stopped(pit);
}

static void stop_pools(snakepit *pit)
{
    for (size_t i = 0; i < pit->count; i++) {
        sp_pit_stop_pool(pit->pools[i]);
    }
    if (sp_pit_is_connected(pit)) {
        sp_daemon_stop(pit->daemon);
        sp_pit_changed(pit); // for who waits for one
    }
}

static void serve_wishes(snakepit *pit)
{
    for (size_t i = 0; !sp_pit_is_connected(pit) && i < pit->count; i++) {
        if (atomic_exchange(&pit->pools[i]->retry, false)) {
            sp_fleet_retry(&pit->pools[i]->fleet);
        }
        if (atomic_exchange(&pit->pools[i]->asked, false)) {
            sp_fleet_do_what_is_asked(&pit->pools[i]->fleet);
        }
    }
}

void sp_pit_woken(void *user)
{
    snakepit *pit = user;
    if (atomic_load(&pit->stop)) {
        end_if_all_have_stopped(pit);
        stop_pools(pit);
        return;
    }
    pit->quiet_since = sp_clock_now();
    if (!sp_pit_is_connected(pit)) {
        sp_pit_serve_reload(pit);
    }
    serve_wishes(pit);
    (void)tick_all(pit);
    on_sweep(&pit->sessions_sweep);
    sp_timer_start(&pit->loop, &pit->tick, on_tick, TICK_MS, TICK_MS);
}

void sp_pit_stop_loop(snakepit *pit)
{
    if (pit->thread_made) {
        atomic_store(&pit->stop, true);
        sp_loop_wake(&pit->loop);
        SP_CHECK(pthread_join(pit->thread, NULL) == 0);
        pit->thread_made = false;
    }
    sp_loop_fini(&pit->loop);
}

// ---- Start --------------------------------------------------------------------

static void *run(void *argument)
{
    SP_UNCANCELLED;
    snakepit *pit = argument;
    for (size_t i = 0; !sp_pit_is_connected(pit) && i < pit->count; i++) {
        sp_fleet_start(&pit->pools[i]->fleet);
        sp_mover_begin(&pit->pools[i]->fleet);
    }
    sp_loop_run(&pit->loop);
    sp_fork_leave(pit->process);
    return NULL;
}

snakepit_err sp_pit_start_loop(snakepit *pit, snakepit_message *why)
{
    if (!sp_pit_is_connected(pit)) {
        sp_listener_init(&pit->listener, &pit->loop, &pit->events);
    }
    pit->tick.user = pit;
    pit->sessions_sweep.user = pit;
    pit->tidy.user = pit;
    sp_timer_start(&pit->loop, &pit->tidy, on_tidy, TIDY_MS, TIDY_MS);
    errno = sp_thread_start(&pit->thread, run, pit);
    if (errno != 0) {
        return sp_system_failed(
            why, "pthread_create", NULL, "of the thread that watches the workers");
    }
    pit->thread_made = true;
    return SNAKEPIT_OK;
}
