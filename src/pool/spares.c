// SPDX-License-Identifier: MIT
#include "pool/spares.h"

// Each thread has its own place, as far as there are enough.
static uint32_t place_of_thread(void)
{
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t place;
    if (place == 0) {
        place = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
    }
    return place & (SP_SPARES - 1);
}

static struct sp_call *take_from_place(struct sp_pool *pool)
{
    struct sp_spare *place = &pool->spares[place_of_thread()];
    struct sp_call *call = atomic_load_explicit(&place->call, memory_order_relaxed);
    bool taken =
        call != NULL && call != SP_SPARE_CLOSED &&
        atomic_compare_exchange_strong_explicit(
            &place->call, &call, NULL, memory_order_acquire, memory_order_relaxed);
    return taken ? call : NULL;
}

static struct sp_call *take_from_list(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct sp_link *link = sp_list_take(&pool->free_calls);
    pthread_mutex_unlock(&pool->lock);
    return link != NULL ? SP_ENTRY(link, struct sp_call, link) : sp_call_new(pool);
}

struct sp_call *sp_spares_take(struct sp_pool *pool)
{
    struct sp_call *call = take_from_place(pool);
    if (call == NULL) {
        call = take_from_list(pool);
        // The caller is in the library with the pit, which has a reference.
        if (call != NULL) {
            atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
        }
    }
    return call;
}

bool sp_spares_put(struct sp_pool *pool, struct sp_call *call)
{
    struct sp_call *none = NULL;
    if (atomic_compare_exchange_strong_explicit(&pool->spares[place_of_thread()].call,
                                                &none,
                                                call,
                                                memory_order_release,
                                                memory_order_relaxed)) {
        return true;
    }
    pthread_mutex_lock(&pool->lock);
    sp_list_prepend(&pool->free_calls, &call->link);
    pthread_mutex_unlock(&pool->lock);
    return false;
}

uint32_t sp_spares_close(struct sp_pool *pool)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < SP_SPARES; i++) {
        struct sp_call *call = atomic_exchange(&pool->spares[i].call, SP_SPARE_CLOSED);
        if (call != NULL) {
            pthread_mutex_lock(&pool->lock);
            sp_list_append(&pool->free_calls, &call->link);
            pthread_mutex_unlock(&pool->lock);
            taken++;
        }
    }
    return taken;
}
