// SPDX-License-Identifier: MIT
// Calls that wait or run, and those that have ended last. Whose session a call belongs
// to is told to those who administer its pool.
#include "api/calls.h"

#include <string.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/items.h"
#include "api/reply.h"
#include "base/clock.h"
#include "http/percent.h"
#include "payload/pairs.h"
#include "pit/refuse.h"
#include "server/grant.h"
#include "server/server.h"

#define WAITING     "waiting" // `line` and `worker`
#define LIMIT       100u      // calls of an answer, where nobody says how many
#define LIMIT_MOST  1000u
#define RECORDED_MS 60000u

#define CALL_PAIRS  12u
#define ENDED_PAIRS 11u

// ---- Recording ------------------------------------------------------------------

static void on_rest(struct sp_timer *timer)
{
    struct sp_api_loop *loop = timer->user;
    (void)snakepit_calls_record(loop->pit, false);
}

void sp_api_record_calls(const struct sp_exchange *exchange)
{
    struct sp_api_loop *loop = sp_api_loop_of(exchange);
    snakepit *pit = sp_api_of(exchange)->pit;
    if (loop == NULL || (!sp_timer_runs(&loop->recording) &&
                         snakepit_calls_record(pit, true) != SNAKEPIT_OK)) {
        return; // without memory those that fail are there
    }
    loop->pit = pit;
    loop->recording.user = loop;
    sp_timer_start(&exchange->loop->loop, &loop->recording, on_rest, RECORDED_MS, 0);
}

// ---- What is asked for ----------------------------------------------------------

// A question about the calls of one pool or of all that the client may see.
struct listing {
    struct sp_exchange *exchange;
    const char *pool; // NULL: all
    char state[16];   // of those under way; "": any
    uint64_t limit;
    snakepit_recent_options recent;
    struct sp_items items;
    bool sessions; // of the pool that is told, they are
    char room[SP_PARAM_SIZE];
};

static bool refuse(struct sp_exchange *exchange, const char *why)
{
    sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, why);
    return false;
}

static bool read_pool(struct listing *listing, struct sp_slice value)
{
    snakepit_message why = {{0}};
    struct sp_exchange *exchange = listing->exchange;
    snakepit *pit = sp_api_of(exchange)->pit;
    snakepit_pool_stats stats = {.size = sizeof stats};
    if (value.data == NULL) {
        return true;
    }
    if (!sp_percent_decode(value, listing->room, sizeof listing->room)) {
        return refuse(exchange, "pool is badly encoded, or longer than 255 bytes");
    }
    if (!sp_api_admit_to_pool(exchange, SP_ACCESS_OBSERVE, listing->room)) {
        return false;
    }
    const char *name = sp_grant_pool(pit, listing->room);
    snakepit_err err = snakepit_pool_get_stats(pit, name, &stats);
    if (err != SNAKEPIT_OK) {
        (void)sp_refuse_pool(pit, name, &why);
        sp_api_fail(exchange, err, why.text);
        return false;
    }
    listing->pool = stats.name;
    return true;
}

static bool read_limit(struct listing *listing, struct sp_slice value)
{
    listing->limit = LIMIT;
    return value.data == NULL || sp_api_number(value, 1, LIMIT_MOST, &listing->limit) ||
           refuse(listing->exchange, "limit is a number of calls, 1 to 1000");
}

static bool is_word(struct sp_slice value, const char *word)
{
    return value.size == strlen(word) && memcmp(value.data, word, value.size) == 0;
}

static bool read_state(struct listing *listing, struct sp_slice value)
{
    static const char *const states[] = {
        "line", "worker", "running", "stopping", WAITING};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (is_word(value, states[i])) {
            memcpy(listing->state, states[i], strlen(states[i]) + 1);
            return true;
        }
    }
    return value.data == NULL ||
           refuse(listing->exchange,
                  "state is one of line, worker, running, stopping and " WAITING);
}

static bool read_flag(struct listing *listing, const char *name, bool *flag)
{
    const struct sp_slice value = sp_query_find(listing->exchange->request.query, name);
    *flag = value.data != NULL && (value.size == 0 || is_word(value, "true"));
    return *flag || value.data == NULL || is_word(value, "false") ||
           refuse(listing->exchange, "failed and slow are true or false");
}

static bool read_listing(struct listing *listing, struct sp_exchange *exchange)
{
    const struct sp_slice query = exchange->request.query;
    *listing = (struct listing){.exchange = exchange};
    return read_pool(listing, sp_query_find(query, "pool")) &&
           read_limit(listing, sp_query_find(query, "limit"));
}

// ---- What is answered -----------------------------------------------------------

typedef void list_fn(struct listing *listing, const char *pool);

static bool is_told(const struct listing *listing, const char *pool)
{
    return pool != NULL &&
           (listing->pool == NULL || strcmp(listing->pool, pool) == 0) &&
           sp_api_may(listing->exchange, SP_ACCESS_OBSERVE, pool);
}

// Each pool writes some of the items, which nobody counts before.
static void list_pools(struct listing *listing, list_fn *list)
{
    snakepit *pit = sp_api_of(listing->exchange)->pit;
    const size_t pools = snakepit_pool_count(pit);
    for (size_t i = 0; i < pools && listing->items.count < listing->limit; i++) {
        const char *pool = snakepit_pool_name(pit, i);
        if (is_told(listing, pool)) {
            listing->sessions = sp_api_may(listing->exchange, SP_ACCESS_ADMIN, pool);
            list(listing, pool);
        }
    }
}

static void answer(struct listing *listing, list_fn *list)
{
    snakepit_writer *writer = snakepit_writer_new();
    list_pools(listing, list);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "calls");
    sp_items_write(&listing->items, writer);
    sp_api_reply_value(listing->exchange, writer);
    snakepit_writer_free(writer);
    sp_items_fini(&listing->items);
}

// ---- Those under way ------------------------------------------------------------

static void
write_number_or_nil(snakepit_writer *writer, const char *key, int64_t number)
{
    snakepit_writer_str(writer, key);
    if (number < 0) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_int(writer, number);
    }
}

// An id that is 0 is none.
static void write_id(snakepit_writer *writer, const char *key, uint64_t id)
{
    snakepit_writer_str(writer, key);
    if (id == 0) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_uint(writer, id);
    }
}

static void write_session(snakepit_writer *writer, const char *session, bool told)
{
    sp_pair_text(writer, "session", told && session[0] != '\0' ? session : NULL);
}

// Of those that wait some have a worker.
static bool is_wanted(const char *wanted, const char *state)
{
    return wanted[0] == '\0' || strcmp(wanted, state) == 0 ||
           (strcmp(wanted, WAITING) == 0 &&
            (strcmp(state, "line") == 0 || strcmp(state, "worker") == 0));
}

static void take_call(void *user, const snakepit_call_info *call)
{
    struct listing *listing = user;
    const bool wanted = is_wanted(listing->state, call->state);
    snakepit_writer *writer = NULL;
    if (wanted && listing->items.count < listing->limit) {
        writer = sp_items_begin(&listing->items);
    }
    if (writer == NULL) {
        return;
    }
    snakepit_writer_map(writer, CALL_PAIRS);
    sp_pair_number(writer, "call", call->call);
    sp_pair_text(writer, "pool", call->pool);
    sp_pair_text(writer, "tool", call->tool);
    write_session(writer, call->session, listing->sessions);
    sp_pair_text(writer, "state", call->state);
    write_id(writer, "worker", call->worker);
    write_number_or_nil(writer, "executor", call->executor);
    sp_pair_number(writer, "since_us", call->since_us);
    write_number_or_nil(writer, "left_ms", call->left_ms);
    sp_pair_number(writer, "attempt", call->attempt);
    sp_pair_number(writer, "priority", call->priority);
    sp_pair_bool(writer, "streams", call->streams);
    (void)sp_items_add(&listing->items);
}

static void list_calls(struct listing *listing, const char *pool)
{
    // Those of another state are passed over.
    const size_t most =
        listing->state[0] == '\0' ? listing->limit - listing->items.count : SIZE_MAX;
    snakepit_err err = snakepit_calls(
        sp_api_of(listing->exchange)->pit, pool, most, take_call, listing);
    if (err == SNAKEPIT_NO_MEMORY) {
        listing->items.err = err;
    }
}

void sp_api_calls(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct listing listing;
    (void)params;
    if (read_listing(&listing, exchange) &&
        read_state(&listing, sp_query_find(exchange->request.query, "state"))) {
        answer(&listing, list_calls);
    }
}

// ---- Those that have ended ------------------------------------------------------

// Unix time in milliseconds, when its tool began, or, where it did not run, when it
// ended.
static double started_ms(const snakepit_ended_call *call)
{
    return (double)(call->ended_us - call->ran_us) / 1000;
}

void sp_api_write_ended(snakepit_writer *writer,
                        const snakepit_ended_call *call,
                        unsigned parts)
{
    const unsigned more = ((parts & SP_ENDED_SESSION) != 0 ? 1u : 0) +
                          ((parts & SP_ENDED_TRACEBACK) != 0 ? 1u : 0);
    const bool failed = call->err != SNAKEPIT_OK;
    const char *error =
        call->error[0] != '\0' ? call->error : snakepit_err_text(call->err);
    snakepit_writer_map(writer, ENDED_PAIRS + more);
    write_id(writer, "call", call->call);
    sp_pair_text(writer, "pool", call->pool);
    sp_pair_text(writer, "tool", call->tool);
    write_id(writer, "worker", call->worker);
    write_number_or_nil(writer, "executor", call->executor);
    snakepit_writer_str(writer, "started_ms");
    snakepit_writer_double(writer, started_ms(call));
    sp_pair_number(writer, "waited_us", call->waited_us);
    sp_pair_number(writer, "ran_us", call->ran_us);
    sp_pair_number(writer, "attempts", call->attempts);
    sp_pair_text(writer, "outcome", snakepit_err_name(call->err));
    sp_pair_text(writer, "error", failed ? error : NULL);
    if ((parts & SP_ENDED_SESSION) != 0) {
        write_session(writer, call->session, true);
    }
    if ((parts & SP_ENDED_TRACEBACK) != 0) {
        sp_pair_text(
            writer, "traceback", call->traceback[0] != '\0' ? call->traceback : NULL);
    }
}

static void take_ended(void *user, const snakepit_ended_call *call)
{
    struct listing *listing = user;
    snakepit_writer *writer = sp_items_begin(&listing->items);
    if (writer != NULL) {
        const bool traced = sp_api_shows_tracebacks(listing->exchange);
        sp_api_write_ended(writer,
                           call,
                           (listing->sessions ? SP_ENDED_SESSION : 0u) |
                               (traced ? SP_ENDED_TRACEBACK : 0u));
        (void)sp_items_add(&listing->items);
    }
}

static void list_recent(struct listing *listing, const char *pool)
{
    listing->recent.most = listing->limit - listing->items.count;
    snakepit_err err = snakepit_recent_calls(
        sp_api_of(listing->exchange)->pit, pool, &listing->recent, take_ended, listing);
    if (err == SNAKEPIT_NO_MEMORY) {
        listing->items.err = err;
    }
}

void sp_api_recent_calls(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct listing listing;
    (void)params;
    if (read_listing(&listing, exchange) &&
        read_flag(&listing, "failed", &listing.recent.failed) &&
        read_flag(&listing, "slow", &listing.recent.slow)) {
        listing.recent.size = sizeof listing.recent;
        sp_api_record_calls(exchange);
        answer(&listing, list_recent);
    }
}
