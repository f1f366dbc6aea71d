// SPDX-License-Identifier: MIT
// The pool's life, and what its owner asks of it.
#include "pool/inside.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/fork.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "base/text.h"
#include "base/thread.h"
#include "pool/affinity.h"
#include "pool/held.h"
#include "pool/spares.h"
#include "pool/trace.h"

#define SHARED_MOST 1024u

// Those that workers had at the end. Nobody uses them: each that is used keeps the
// pool.
static void free_windows(const struct sp_windows *windows)
{
    for (uint32_t i = 0; i < SP_WINDOWS_MAX; i++) {
        if (windows->of[i] != NULL) {
            sp_descriptor_close(&windows->of[i]->fd);
            sp_free(windows->of[i]);
        }
    }
}

static void pool_free(struct sp_pool *pool)
{
    struct sp_link *link;
    while ((link = sp_list_take(&pool->free_calls)) != NULL) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, link);
        sp_parcel_free(&pool->store, call->parcel);
        sp_call_free(call);
    }
    sp_pending_fini(&pool->pending);
    sp_ties_fini(&pool->ties);
    sp_breakers_fini(&pool->breakers);
    sp_tools_fini(&pool->tools);
    sp_recent_fini(&pool->recent);
    free_windows(&pool->windows);
    sp_store_fini(&pool->store);
    pthread_mutex_destroy(&pool->lock);
    sp_free(pool->name);
    sp_free(pool);
}

void sp_pool_unref(struct sp_pool *pool, uint32_t refs)
{
    uint32_t before =
        atomic_fetch_sub_explicit(&pool->refs, refs, memory_order_acq_rel);
    SP_CHECK(before >= refs);
    if (before == refs) {
        SP_UNCANCELLED; // closing files could be
        pool_free(pool);
    }
}

static void init_lists(struct sp_pool *pool)
{
    sp_list_init(&pool->free_calls);
    sp_list_init(&pool->seats);
    sp_list_init(&pool->streams);
    sp_pending_init(&pool->pending);
    for (uint32_t i = 0; i < SP_QUEUES_MOST; i++) {
        sp_lane_init(&pool->lanes[i]);
    }
    sp_loads_init(&pool->loads);
    sp_line_init(&pool->line, pool->options.max_queue);
    sp_times_init(&pool->times);
    sp_list_init(&pool->waited_for);
    sp_ties_init(&pool->ties,
                 pool->options.max_sessions,
                 pool->options.session_ttl_ms * SP_NS_PER_MS,
                 &pool->options.hash_key);
    sp_retry_init(&pool->retry, &pool->options.retry, pool->options.hash_key.words[0]);
    sp_breakers_init(&pool->breakers, &pool->options.breaker, &pool->options.hash_key);
    sp_tools_init(&pool->tools, &pool->options.hash_key);
    sp_slow_set(pool, pool->options.slow_call_ms);
}

snakepit_err sp_pool_open(const struct sp_pool_options *options,
                          const struct sp_pool_hooks *hooks,
                          const struct sp_log *log,
                          struct sp_pool **pool,
                          snakepit_message *why)
{
    struct sp_pool *made = sp_alloc_lines(sizeof *made);
    char *name = sp_strdup(options->name);
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (made != NULL && name != NULL) {
        err = sp_recent_init(&made->recent);
    }
    if (err == SNAKEPIT_OK) {
        err = sp_store_init(&made->store, options->shared_memory_size, why);
    }
    if (err != SNAKEPIT_OK) {
        if (made != NULL) {
            sp_recent_fini(&made->recent);
        }
        sp_free(name);
        sp_free(made);
        return err;
    }
    if (options->payloads_hidden) {
        sp_segment_hide(&made->store.segment);
    }
    made->name = name;
    made->options = *options;
    made->options.name = name;
    made->hooks = *hooks;
    made->log = log;
    made->refs = 1;
    made->process = sp_fork_here();
    init_lists(made);
    SP_CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    *pool = made;
    return SNAKEPIT_OK;
}

void sp_pool_begin_close(struct sp_pool *pool)
{
    sp_pool_set_state(pool, SP_POOL_STOPPING, NULL);
}

void sp_pool_begin_removal(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->removed = true;
    pthread_mutex_unlock(&pool->lock);
    sp_pool_begin_close(pool);
}

// Calls that wait for one worker, or for their next attempt, are none of these. There
// may be many, and more than a few would not change what is done about them.
static uint32_t count_shared(const struct sp_pool *pool)
{
    uint32_t found = 0;
    for (const struct sp_link *link = pool->line.calls.next;
         link != &pool->line.calls && found < SHARED_MOST;
         link = link->next) {
        found++;
    }
    return found;
}

// Executors that a worker's calls do without, if those of one tool that takes many at
// once are run by as few as can be.
static uint32_t count_spared(const struct sp_pool *pool, const struct sp_seat *seat)
{
    double spared = 0;
    for (struct sp_link *link = seat->calls.next;
         seat->batches.size > 0 && link != &seat->calls;
         link = link->next) {
        const struct sp_call *call = SP_ENTRY(link, struct sp_call, placement.link);
        const struct sp_slice tool = sp_parcel_tool(&pool->store, call->parcel);
        if (call->tie != NULL || call->stream != NULL) {
            continue; // it runs alone
        }
        spared += 1.0 - 1.0 / sp_seat_batch_of(seat, tool);
    }
    return (uint32_t)spared;
}

static uint32_t count_all_spared(const struct sp_pool *pool)
{
    uint32_t spared = 0;
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        spared += count_spared(pool, SP_ENTRY(link, struct sp_seat, member));
    }
    return spared;
}

void sp_pool_look(struct sp_pool *pool,
                  struct sp_pool_view *view,
                  snakepit_message *failure)
{
    pthread_mutex_lock(&pool->lock);
    *view = (struct sp_pool_view){
        .state = pool->state,
        .refuses = sp_pool_refuses(pool),
        .profile = pool->profile,
        .workers = pool->workers,
        .threads = pool->threads,
        .seats = pool->loads.count,
        .running = pool->placed + pool->orphans,
        .stopping = pool->orphans,
        .waiting = pool->line.count,
        .shared = pool->options.elastic ? count_shared(pool) : 0,
        .held = pool->options.elastic ? sp_held_count(pool) : 0,
        .spared = pool->options.elastic ? count_all_spared(pool) : 0,
        .breakers = pool->breakers.tripped,
        .fails_to_start = pool->fails_to_start,
        .counters = pool->counters,
    };
    if (failure != NULL) {
        (void)snprintf(failure->text, sizeof failure->text, "%s", pool->failure);
    }
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_times(struct sp_pool *pool,
                   struct sp_histogram *line,
                   struct sp_histogram *run)
{
    pthread_mutex_lock(&pool->lock);
    sp_times_count(&pool->times);
    *line = pool->times.line;
    *run = pool->tools.other.run;
    for (uint32_t i = 0; i < pool->tools.count; i++) {
        sp_histogram_join(run, &pool->tools.all[i]->run);
    }
    pthread_mutex_unlock(&pool->lock);
}

uint64_t sp_pool_join_lost(struct sp_pool *pool,
                           struct sp_histogram *line,
                           struct sp_histogram *run)
{
    pthread_mutex_lock(&pool->lock);
    const uint64_t left = sp_histogram_count(&pool->times.left);
    sp_histogram_join(line, &pool->times.left);
    sp_histogram_join(run, &pool->times.lost);
    run->sum_ns += pool->times.streamed_ns;
    pthread_mutex_unlock(&pool->lock);
    return left;
}

uint32_t sp_pool_tool_count(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint32_t count = pool->tools.count + 1;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static void fill_tool(const struct sp_tool *tool, struct sp_tool_figures *row)
{
    memcpy(row->name, tool->name.text, tool->name.size);
    row->name[tool->name.size] = '\0';
    memcpy(row->ended, tool->ended, sizeof row->ended);
    row->ran_ns = tool->run.sum_ns;
    row->ran = sp_histogram_count(&tool->run);
}

uint32_t
sp_pool_tools(struct sp_pool *pool, struct sp_tool_figures *rows, uint32_t room)
{
    const struct sp_tools *tools = &pool->tools;
    uint32_t count = 0;
    pthread_mutex_lock(&pool->lock);
    sp_times_count(&pool->times);
    for (; count < tools->count && count + 1 < room; count++) {
        fill_tool(tools->all[count], &rows[count]);
    }
    if (count < room) {
        fill_tool(&tools->other, &rows[count++]);
    }
    pthread_mutex_unlock(&pool->lock);
    return count;
}

const char *sp_pool_name(const struct sp_pool *pool)
{
    return pool->name;
}

struct sp_store *sp_pool_store(struct sp_pool *pool)
{
    return &pool->store;
}

uint32_t sp_pool_peer_cpu(const struct sp_pool *pool)
{
    return atomic_load_explicit(&pool->peer_cpu, memory_order_relaxed);
}

bool sp_pool_is_busy(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool busy = pool->placed > 0 || pool->line.count > 0;
    pthread_mutex_unlock(&pool->lock);
    return busy;
}

bool sp_pool_is_closing(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool closing = pool->state == SP_POOL_STOPPING;
    pthread_mutex_unlock(&pool->lock);
    return closing;
}

bool sp_pool_awaits_tools(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool awaits = pool->orphans > 0;
    pthread_mutex_unlock(&pool->lock);
    return awaits;
}

void sp_pool_close(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    SP_CHECK(sp_list_empty(&pool->seats) && pool->placed == 0 && pool->line.count == 0);
    pool->log = NULL;
    pthread_mutex_unlock(&pool->lock);
    sp_pool_unref(pool, sp_spares_close(pool) + 1);
}

static struct sp_call *first_unended(struct sp_pool *pool)
{
    struct sp_call *waiting = sp_affinity_first_waiting(pool);
    if (waiting != NULL) {
        return waiting;
    }
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (!sp_list_empty(&seat->calls)) {
            return SP_ENTRY(seat->calls.next, struct sp_call, placement.link);
        }
    }
    return NULL;
}

void sp_pool_end_all(struct sp_pool *pool)
{
    struct sp_after after = {0};
    struct sp_failure failure = {.err = SNAKEPIT_SHUTTING_DOWN};
    struct sp_call *call;
    pthread_mutex_lock(&pool->lock);
    failure.err = pool->removed ? SNAKEPIT_POOL_REMOVED : failure.err;
    while ((call = first_unended(pool)) != NULL) {
        if (call->phase == SP_CALL_IN_LINE) {
            failure.stage = "line";
            sp_line_remove(&pool->line, call);
            sp_pool_fail_call(pool, call, &failure, &after);
        } else {
            sp_pool_abandon(pool, call, &failure, &after);
        }
    }
    sp_pool_unlock(pool, &after);
}

static void fail_waiting(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_failure failure = {
        .err = sp_pool_refuses(pool), .message = pool->failure, .stage = "line"};
    struct sp_call *call;
    while ((call = sp_affinity_first_waiting(pool)) != NULL) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, after);
    }
}

void sp_pool_fail_waiting(struct sp_pool *pool, snakepit_err err, const char *why)
{
    struct sp_after after = {0};
    const struct sp_failure failure = {.err = err, .message = why, .stage = "line"};
    struct sp_call *call;
    pthread_mutex_lock(&pool->lock);
    while ((call = sp_affinity_first_waiting(pool)) != NULL) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, &after);
    }
    sp_pool_unlock(pool, &after);
}

void sp_pool_set_state(struct sp_pool *pool, enum sp_pool_state state, const char *why)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&pool->lock);
    // Closing is for good.
    if (pool->state == SP_POOL_STOPPING || (pool->state == state && why == NULL)) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    pool->state = state;
    sp_schedule_let_spent_serve(pool);
    if (why != NULL) {
        (void)snprintf(pool->failure, sizeof pool->failure, "%s", why);
        fail_waiting(pool, &after);
    }
    pool->hooks.changed(pool->hooks.user);
    sp_pool_unlock(pool, &after);
}

void sp_pool_set_daemon(struct sp_pool *pool, bool takes_calls)
{
    pthread_mutex_lock(&pool->lock);
    if (takes_calls) {
        pool->alone_since = 0;
    } else if (pool->alone_since == 0) {
        pool->alone_since = sp_clock_now();
    }
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_retry(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->state == SP_POOL_FAILED || pool->state == SP_POOL_DOWN) {
        pool->state = SP_POOL_STARTING;
        pool->hooks.changed(pool->hooks.user);
    }
    // What is started now may do better, or fail for another reason.
    pool->failure[0] = '\0';
    pool->fails_to_start = false;
    pthread_mutex_unlock(&pool->lock);
}

// ---- What may change ----------------------------------------------------------

// What has been counted so far was counted under other terms.
static void retune_terms(struct sp_pool *pool, const struct sp_pool_options *options)
{
    struct sp_pool_options *own = &pool->options;
    const struct sp_hash_key *key = &own->hash_key;
    if (memcmp(&own->retry, &options->retry, sizeof own->retry) != 0) {
        own->retry = options->retry;
        sp_retry_init(&pool->retry, &own->retry, key->words[0]);
    }
    if (memcmp(&own->breaker, &options->breaker, sizeof own->breaker) != 0) {
        own->breaker = options->breaker;
        sp_breakers_fini(&pool->breakers);
        sp_breakers_init(&pool->breakers, &own->breaker, key);
    }
}

static void retune(struct sp_pool *pool, const struct sp_pool_options *options)
{
    struct sp_pool_options *own = &pool->options;
    own->max_queue = options->max_queue;
    own->queue_timeout_ms = options->queue_timeout_ms;
    own->call_timeout_ms = options->call_timeout_ms;
    own->cancel_grace_ms = options->cancel_grace_ms;
    own->prefetch = options->prefetch;
    own->elastic = options->elastic;
    own->slow_call_ms = options->slow_call_ms;
    pool->line.most = options->max_queue;
    sp_slow_set(pool, options->slow_call_ms);
    retune_terms(pool, options);
}

void sp_pool_retune(struct sp_pool *pool, const struct sp_pool_options *options)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&pool->lock);
    retune(pool, options);
    pool->freed = true; // there may be room for more
    sp_pool_unlock(pool, &after);
}

bool sp_pool_could_be(const struct sp_pool *pool, const struct sp_pool_options *options)
{
    const struct sp_pool_options *own = &pool->options; // these are constant
    return own->shared_memory_size == options->shared_memory_size &&
           own->payloads_hidden == options->payloads_hidden &&
           own->affinity == options->affinity;
}

void sp_pool_reopen(struct sp_pool *pool, const struct sp_pool_options *options)
{
    pthread_mutex_lock(&pool->lock);
    SP_CHECK(pool->removed && sp_list_empty(&pool->seats) && pool->placed == 0 &&
             pool->line.count == 0);
    retune(pool, options);
    pool->removed = false;
    pool->state = SP_POOL_STARTING;
    pool->failure[0] = 0;
    pool->fails_to_start = false;
    pool->crowd = (struct sp_crowd){.refused = 0};
    pthread_mutex_unlock(&pool->lock);
}

// ---- Ends ---------------------------------------------------------------------

// Gives the worker its memory back.
static void release_result(struct sp_call *call)
{
    struct sp_port *port = call->port;
    pthread_mutex_lock(&call->pool->lock);
    call->pool->results_held -= call->result_lease != SP_NO_LEASE;
    sp_port_return_result(port, call->result_lease);
    pthread_mutex_unlock(&call->pool->lock);
    sp_port_unref(port);
    call->port = NULL;
    call->result_lease = SP_NO_LEASE;
}

// What the next call writes first was its worker's last: these lines come back while
// the program looks at what it has got.
static void fetch_lines(const struct sp_call *call)
{
    if (call->parcel != NULL) {
        sp_prefetch_for_write(call->pool->store.segment.base + call->parcel->block);
    }
    if (call->likely != NULL) {
        sp_prefetch_for_write(&call->likely->request);
        sp_prefetch_for_write(&call->likely->result);
    }
}

void sp_pool_release(struct sp_call *call)
{
    struct sp_pool *pool = call->pool;
    SP_CHECK(call->phase == SP_CALL_ENDED);
    if (pool == NULL || !sp_call_is_here(call)) {
        sp_call_free(call);
        return;
    }
    if (call->trace != NULL) {
        sp_call_trace_tell(call); // a stream, or nobody has opened it
    }
    if (call->parcel != NULL) {
        sp_parcel_empty(&pool->store, call->parcel);
    }
    if (call->port != NULL) {
        release_result(call);
    }
    fetch_lines(call);
    sp_call_reset(call);
    if (!sp_spares_put(pool, call)) {
        sp_pool_unref(pool, 1);
    }
}

snakepit_err sp_pool_cancel(struct sp_pool *pool, uint64_t id)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&pool->lock);
    struct sp_call *call = sp_pending_find(&pool->pending, id);
    if (call != NULL) {
        sp_pool_give_up(pool, call, SNAKEPIT_CANCELLED, &after);
    }
    sp_pool_unlock(pool, &after);
    return call == NULL ? SNAKEPIT_NOT_FOUND : SNAKEPIT_OK;
}
