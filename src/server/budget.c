// SPDX-License-Identifier: MIT
#include "server/budget.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "telemetry/notice.h"

#define UNCOUNTED 4096u // bytes that a small body may take
#define SMALLEST  1024u
#define TELL_NS   (10 * SP_NS_PER_S)

static size_t counted_of(size_t capacity)
{
    return capacity > UNCOUNTED ? capacity : 0;
}

bool sp_budget_is_spent(const struct sp_budget *budget)
{
    return budget != NULL &&
           atomic_load_explicit(&budget->used, memory_order_relaxed) >= budget->most;
}

bool sp_budget_take(struct sp_budget *budget, size_t bytes)
{
    if (budget == NULL) {
        return true;
    }
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (used > budget->most || bytes > budget->most - used) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->used,
                                                    &used,
                                                    used + bytes,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void sp_budget_charge(struct sp_budget *budget, size_t bytes)
{
    if (budget != NULL && bytes > 0) {
        (void)atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
    }
}

void sp_budget_give(struct sp_budget *budget, size_t bytes)
{
    if (budget != NULL && bytes > 0) {
        size_t used =
            atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
        SP_CHECK(used >= bytes);
    }
}

snakepit_err sp_counted_grow(struct sp_counted *body,
                             struct sp_budget *budget,
                             size_t more,
                             size_t most)
{
    struct sp_buf *bytes = &body->bytes;
    if (more <= bytes->capacity - bytes->size) {
        return SNAKEPIT_OK;
    }
    SP_CHECK(more <= most - bytes->size && most <= PTRDIFF_MAX);
    const size_t wanted = bytes->size + more;
    size_t capacity = bytes->capacity < SMALLEST / 2 ? SMALLEST : bytes->capacity * 2;
    capacity = capacity > most ? most : capacity;
    capacity = capacity < wanted ? wanted : capacity;
    if (!sp_budget_take(budget, counted_of(capacity) - body->counted)) {
        capacity = wanted;
        if (!sp_budget_take(budget, counted_of(capacity) - body->counted)) {
            return SNAKEPIT_AGAIN;
        }
    }
    const size_t counted = counted_of(capacity);
    uint8_t *data = sp_realloc(bytes->data, capacity);
    if (data == NULL) {
        sp_budget_give(budget, counted - body->counted);
        return SNAKEPIT_NO_MEMORY;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    body->counted = counted;
    return SNAKEPIT_OK;
}

snakepit_err sp_counted_settle(struct sp_counted *body, struct sp_budget *budget)
{
    const size_t counted = counted_of(body->bytes.capacity);
    if (counted > body->counted && !sp_budget_take(budget, counted - body->counted)) {
        return SNAKEPIT_AGAIN;
    }
    sp_budget_give(budget, counted < body->counted ? body->counted - counted : 0);
    body->counted = counted;
    return SNAKEPIT_OK;
}

void sp_counted_forget(struct sp_counted *body, struct sp_budget *budget, size_t kept)
{
    body->bytes.size = 0;
    if (body->bytes.capacity > kept) {
        sp_buf_fini(&body->bytes);
    }
    const size_t counted = counted_of(body->bytes.capacity);
    sp_budget_give(budget, body->counted - counted);
    body->counted = counted;
}

void sp_budget_tell(struct sp_budget *budget, const struct sp_log *log, uint64_t now)
{
    uint64_t told = atomic_load(&budget->told);
    if ((told == 0 || now - told >= TELL_NS) &&
        atomic_compare_exchange_strong(&budget->told, &told, now)) {
        sp_log(log,
               serve_full,
               .bytes = atomic_load(&budget->used),
               .connections = SP_UNTOLD,
               .because = "max_memory",
               .then = "bodies and answers are refused");
    }
}

bool sp_budget_keeps_pace(uint64_t elapsed_ns,
                          uint64_t bytes,
                          uint32_t grace_ms,
                          uint64_t rate)
{
    const uint64_t grace_ns = grace_ms * SP_NS_PER_MS;
    return rate == 0 || elapsed_ns <= grace_ns ||
           (elapsed_ns - grace_ns) / SP_NS_PER_S <= bytes / rate;
}
