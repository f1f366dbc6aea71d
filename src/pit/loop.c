// SPDX-License-Identifier: MIT
// The control plane's thread. It sleeps unless a worker does something or a timer is
// due; the tick runs only while calls need somebody to watch their time. Once a second
// it gives memory back that no call has needed since.
#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
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
        again |= sp_supervisor_tick(&pit->pools[i].supervisor, now);
    }
    return again;
}

static void on_tick(uv_timer_t *timer)
{
    snakepit *pit = timer->data;
    uint64_t now = sp_clock_now();
    if (tick_all(pit)) {
        pit->quiet_since = now;
    } else if (now - pit->quiet_since >= QUIET_NS) {
        uv_timer_stop(timer);
        atomic_store(&pit->ticking, false);
        // Whoever asked just before the flag fell was not heard.
        if (tick_all(pit)) {
            sp_loop_attention(pit);
        }
    }
}

void sp_loop_attention(void *user)
{
    snakepit *pit = user;
    if (!atomic_load_explicit(&pit->ticking, memory_order_seq_cst) &&
        !atomic_exchange(&pit->ticking, true)) {
        (void)uv_async_send(&pit->attention);
    }
}

// ---- Sessions -----------------------------------------------------------------

void sp_loop_watch_sessions(void *user)
{
    snakepit *pit = user;
    (void)uv_async_send(&pit->attention);
}

static void on_sweep(uv_timer_t *timer)
{
    snakepit *pit = timer->data;
    uint64_t next = sp_sessions_sweep(&pit->sessions);
    if (next != SP_NEVER) {
        // After it, not just before it: the coarse clock is up to a tick late.
        uint64_t now = sp_clock_now();
        uint64_t ms = next > now ? (next - now) / SP_NS_PER_MS : 0;
        (void)uv_timer_start(timer, on_sweep, ms + TICK_MS, 0);
    }
}

// ---- Memory -------------------------------------------------------------------

// The workers do the same at each heartbeat, for what they have answered.
static void on_tidy(uv_timer_t *timer)
{
    snakepit *pit = timer->data;
    for (size_t i = 0; i < pit->count; i++) {
        sp_arena_tidy(&pit->pools[i].pool->store.arena);
    }
}

// ---- Stop ---------------------------------------------------------------------

static void close_own_handles(snakepit *pit)
{
    uv_close((uv_handle_t *)&pit->attention, NULL);
    uv_close((uv_handle_t *)&pit->tick, NULL);
    uv_close((uv_handle_t *)&pit->sessions_sweep, NULL);
    uv_close((uv_handle_t *)&pit->tidy, NULL);
    sp_listener_close(&pit->listener);
}

static void supervisor_stopped(void *user)
{
    snakepit *pit = user;
    if (++pit->supervisors_stopped == pit->count) {
        close_own_handles(pit);
    }
}

static void stop_supervisors(snakepit *pit)
{
    for (size_t i = 0; i < pit->count; i++) {
        if (!pit->pools[i].supervisor.stopping) {
            sp_supervisor_stop(&pit->pools[i].supervisor);
        }
    }
}

static void on_attention(uv_async_t *async)
{
    snakepit *pit = async->data;
    if (atomic_load(&pit->stop)) {
        if (pit->supervisors_stopped == 0 && pit->count == 0) {
            close_own_handles(pit);
        }
        stop_supervisors(pit);
        return;
    }
    pit->quiet_since = sp_clock_now();
    (void)tick_all(pit);
    on_sweep(&pit->sessions_sweep);
    (void)uv_timer_start(&pit->tick, on_tick, TICK_MS, TICK_MS);
}

void sp_loop_stop(snakepit *pit)
{
    if (pit->thread_made) {
        atomic_store(&pit->stop, true);
        (void)uv_async_send(&pit->attention);
        SP_CHECK(pthread_join(pit->thread, NULL) == 0);
        pit->thread_made = false;
    }
    if (pit->loop_made) {
        SP_CHECK(uv_loop_close(&pit->loop) == 0);
        pit->loop_made = false;
    }
}

// ---- Start --------------------------------------------------------------------

static void *run(void *argument)
{
    SP_UNCANCELLED;
    snakepit *pit = argument;
    for (size_t i = 0; i < pit->count; i++) {
        sp_supervisor_start(&pit->pools[i].supervisor);
    }
    (void)uv_run(&pit->loop, UV_RUN_DEFAULT);
    return NULL;
}

snakepit_err sp_loop_start(snakepit *pit)
{
    const struct sp_supervisor_hooks hooks = {
        .stopped = supervisor_stopped, .doorbell = sp_drain_doorbell, .user = pit};
    SP_CHECK(uv_async_init(&pit->loop, &pit->attention, on_attention) == 0);
    SP_CHECK(uv_timer_init(&pit->loop, &pit->tick) == 0);
    SP_CHECK(uv_timer_init(&pit->loop, &pit->sessions_sweep) == 0);
    SP_CHECK(uv_timer_init(&pit->loop, &pit->tidy) == 0);
    SP_CHECK(uv_timer_start(&pit->tidy, on_tidy, TIDY_MS, TIDY_MS) == 0);
    sp_listener_init(&pit->listener, &pit->loop, &pit->events);
    pit->attention.data = pit;
    pit->tick.data = pit;
    pit->sessions_sweep.data = pit;
    pit->tidy.data = pit;
    for (size_t i = 0; i < pit->count; i++) {
        pit->pools[i].supervisor.hooks = hooks;
    }
    if (sp_thread_start(&pit->thread, run, pit) != 0) {
        close_own_handles(pit);
        (void)uv_run(&pit->loop, UV_RUN_DEFAULT);
        return SNAKEPIT_SYSTEM;
    }
    pit->thread_made = true;
    return SNAKEPIT_OK;
}
