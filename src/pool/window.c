// SPDX-License-Identifier: MIT
#include "pool/window.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "pool/inside.h"

// Of a pool in a second: each has every worker say something, and a worker that says
// too much is killed.
#define OPENED_A_SECOND 200u

static uint64_t bit_of(const struct sp_window *window)
{
    return UINT64_C(1) << (window->number - 1);
}

static bool is_over(const struct sp_window *window)
{
    return atomic_load_explicit(&window->refs, memory_order_acquire) == 0;
}

// ---- Opening ----------------------------------------------------------------------

static bool may_open(struct sp_pool *pool)
{
    const uint64_t second = sp_clock_coarse() / SP_NS_PER_S;
    struct sp_windows *windows = &pool->windows;
    if (windows->second != second) {
        windows->second = second;
        windows->opened = 0;
    }
    return windows->count < SP_WINDOWS_MAX && windows->opened < OPENED_A_SECOND;
}

static void put(struct sp_windows *windows, struct sp_window *window)
{
    uint32_t place = 0;
    while (windows->of[place] != NULL) {
        place++;
    }
    window->number = place + 1;
    window->serial = ++windows->last;
    windows->of[place] = window;
    windows->count++;
    windows->opened++;
}

snakepit_err sp_window_open(struct sp_pool *pool,
                            int fd,
                            struct sp_slice memory,
                            struct sp_window **window)
{
    struct sp_window *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *made = (struct sp_window){.pool = pool, .memory = memory, .fd = fd, .refs = 1};
    pthread_mutex_lock(&pool->lock);
    const bool may = may_open(pool);
    if (may) {
        put(&pool->windows, made);
        atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
        pool->hooks.attention(pool->hooks.user);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!may) {
        sp_free(made);
        return SNAKEPIT_NO_MEMORY;
    }
    *window = made;
    return SNAKEPIT_OK;
}

void sp_window_lend(struct sp_window *window, struct sp_loan *loan)
{
    atomic_fetch_add_explicit(&window->refs, 1, memory_order_relaxed);
    atomic_init(&loan->refs, 1);
    loan->store = &window->pool->store;
    loan->base = window->memory.data;
    loan->size = window->memory.size;
    loan->window = window->number;
}

// ---- The end ----------------------------------------------------------------------

// [window:last] whoever finds no reference finds nothing under way either.
static bool is_last(struct sp_window *window)
{
    return atomic_fetch_sub_explicit(&window->refs, 1, memory_order_acq_rel) == 1;
}

void sp_window_drop(struct sp_window *window)
{
    struct sp_pool *pool = window->pool;
    if (is_last(window)) {
        sp_pool_unref(pool, 1);
    }
}

void sp_window_unref(struct sp_window *window)
{
    struct sp_pool *pool = window->pool;
    if (is_last(window)) {
        pthread_mutex_lock(&pool->lock);
        pool->hooks.attention(pool->hooks.user);
        pthread_mutex_unlock(&pool->lock);
        sp_pool_unref(pool, 1);
    }
}

static void free_window(struct sp_windows *windows, struct sp_window *window)
{
    SP_CHECK(is_over(window));
    windows->of[window->number - 1] = NULL;
    windows->count--;
    sp_descriptor_close(&window->fd);
    sp_free(window);
}

// ---- What workers have
// ---------------------------------------------------------------

// Whether all have it.
static bool is_everywhere(const struct sp_pool *pool, const struct sp_window *window)
{
    bool any = false;
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        const struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (!seat->dead && (seat->windows_mapped & bit_of(window)) == 0) {
            return false;
        }
        any = any || !seat->dead;
    }
    return any;
}

void sp_windows_review(struct sp_pool *pool)
{
    for (uint32_t i = 0; pool->windows.count > 0 && i < SP_WINDOWS_MAX; i++) {
        struct sp_window *window = pool->windows.of[i];
        if (window != NULL) {
            const bool ready =
                !window->refused && !is_over(window) && is_everywhere(pool, window);
            atomic_store_explicit(&window->ready, ready, memory_order_release);
        }
    }
}

void sp_window_mapped(struct sp_pool *pool,
                      struct sp_seat *seat,
                      uint64_t serial,
                      bool mapped)
{
    pthread_mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < SP_WINDOWS_MAX; i++) {
        struct sp_window *window = pool->windows.of[i];
        if (window != NULL && window->serial == serial &&
            (seat->windows_told & bit_of(window)) != 0) {
            seat->windows_mapped |= mapped ? bit_of(window) : 0;
            window->refused = window->refused || !mapped;
        }
    }
    sp_windows_review(pool);
    pthread_mutex_unlock(&pool->lock);
}

// ---- Telling ------------------------------------------------------------------------

// Whether the worker knows what has become of the window.
static bool tell(struct sp_seat *seat,
                 const struct sp_window *window,
                 bool over,
                 const struct sp_pool_orders *orders)
{
    const uint64_t bit = bit_of(window);
    const bool told = (seat->windows_told & bit) != 0;
    if (seat->dead || told != over) {
        return true;
    }
    if (!over && orders->map(seat->worker, window)) {
        seat->windows_told |= bit;
        return true;
    }
    if (over && orders->unmap(seat->worker, window)) {
        seat->windows_told &= ~bit;
        seat->windows_mapped &= ~bit;
        return true;
    }
    return false;
}

// Tells all. Whether it is to be called again.
static bool tell_all(struct sp_pool *pool,
                     struct sp_window *window,
                     const struct sp_pool_orders *orders)
{
    const bool over = is_over(window); // once: it could end meanwhile
    bool known = true;
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        known = tell(seat, window, over, orders) && known;
    }
    if (known && over) {
        free_window(&pool->windows, window);
    }
    return !known;
}

bool sp_windows_tick(struct sp_pool *pool, const struct sp_pool_orders *orders)
{
    bool again = false;
    for (uint32_t i = 0; pool->windows.count > 0 && i < SP_WINDOWS_MAX; i++) {
        if (pool->windows.of[i] != NULL) {
            again = tell_all(pool, pool->windows.of[i], orders) || again;
        }
    }
    return again;
}
