// SPDX-License-Identifier: MIT
// The calls of a pool, copied, and handed over without a lock.
#include "pit/calls.h"
#include "pit/ask.h"

#include <string.h>

#include "base/callback.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"

#define CALLS_MOST   4096u
#define RECENT_CALLS 100u // where nobody says how many

// Whose callback gets what a daemon tells.
struct asking {
    snakepit_call_fn *take_call;
    snakepit_ended_call_fn *take_ended;
    void *user;
};

static void take_asked_call(void *user, const void *row)
{
    const struct asking *asking = user;
    asking->take_call(asking->user, row);
}

static void take_asked_ended(void *user, const void *row)
{
    const struct asking *asking = user;
    asking->take_ended(asking->user, row);
}

// The pool of that name, of a program's question with that callback.
static snakepit_err
find(snakepit *pit, const char *name, bool taken, struct sp_pool **pool)
{
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err == SNAKEPIT_OK && !taken) {
        err = SNAKEPIT_INVALID_ARGUMENT;
    }
    if (err == SNAKEPIT_OK) {
        *pool = sp_pit_pool(pit, name);
        err = *pool == NULL ? sp_refuse_pool(pit, name, NULL) : err;
    }
    return err;
}

static int32_t executor_of(uint16_t executor)
{
    return executor == SP_EXECUTOR_NONE ? -1 : executor;
}

// ---- Those under way ------------------------------------------------------------

static const char *stage_name(enum sp_call_stage stage)
{
    static const char *const names[] = {[SP_STAGE_LINE] = "line",
                                        [SP_STAGE_WORKER] = "worker",
                                        [SP_STAGE_RUNNING] = "running",
                                        [SP_STAGE_STOPPING] = "stopping"};
    return names[stage];
}

static int64_t left_ms(uint64_t deadline)
{
    const uint64_t now = sp_clock_now();
    if (deadline == SP_NEVER) {
        return -1;
    }
    return deadline > now ? (int64_t)((deadline - now) / SP_NS_PER_MS) : 0;
}

static void
hand_over_call(snakepit_call_fn *take, void *user, const snakepit_call_info *call)
{
    SP_CALLBACK("the callback `take`");
    take(user, call);
    SP_CALLBACK_RETURNED;
}

static void give(const struct sp_call_row *row,
                 const char *pool,
                 snakepit_call_fn *take,
                 void *user)
{
    const snakepit_call_info call = {
        .size = sizeof call,
        .call = row->call,
        .pool = pool,
        .tool = row->tool,
        .session = row->session,
        .state = stage_name(row->stage),
        .worker = row->worker,
        .executor = executor_of(row->executor),
        .since_us = row->since_us,
        .left_ms = left_ms(row->deadline),
        .attempt = row->retries + 1,
        .priority = row->priority,
        .streams = row->streams,
    };
    hand_over_call(take, user, &call);
}

snakepit_err snakepit_calls(
    snakepit *pit, const char *name, size_t most, snakepit_call_fn *take, void *user)
{
    SP_UNCANCELLED;
    struct sp_pool *pool = NULL;
    snakepit_err err = find(pit, name, take != NULL, &pool);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (sp_pit_is_connected(pit)) {
        struct asking asking = {.take_call = take, .user = user};
        const struct sp_asked asked = {
            .told = &sp_told_call, .pool = name, .most = most};
        return sp_ask_each(pit, "calls", &asked, take_asked_call, &asking);
    }
    most = most < CALLS_MOST ? most : CALLS_MOST;
    const size_t there = sp_pool_calls(pool, NULL, 0);
    const size_t room = there < most ? there : most;
    struct sp_call_row *rows = sp_alloc_array(room + 1, sizeof *rows);
    if (rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const size_t count = sp_pool_calls(pool, rows, room);
    for (size_t i = 0; i < count && i < room; i++) {
        give(&rows[i], sp_pool_name(pool), take, user);
    }
    sp_free(rows);
    return SNAKEPIT_OK;
}

// ---- Recording ------------------------------------------------------------------

static snakepit_err record_all(snakepit *pit, bool on)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < pit->count && err == SNAKEPIT_OK; i++) {
        err = sp_pool_record(pit->pools[i]->pool, on);
    }
    return err;
}

snakepit_err snakepit_calls_record(snakepit *pit, bool on)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    uint32_t before = err == SNAKEPIT_OK ? atomic_load(&pit->recorders) : 0;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    do {
        if (!on && before == 0) {
            return SNAKEPIT_INVALID_ARGUMENT; // nobody has asked for it
        }
    } while (!atomic_compare_exchange_weak(
        &pit->recorders, &before, on ? before + 1 : before - 1));
    if (before == (on ? 0 : 1)) {
        err = sp_pit_is_connected(pit) ? sp_daemon_record(pit->daemon, on)
                                       : record_all(pit, on);
    }
    if (err != SNAKEPIT_OK && on) {
        (void)snakepit_calls_record(pit, false);
    }
    return err;
}

// ---- Those that have ended ------------------------------------------------------

// The newest of both rings are looked at first. What is kept is a part of what was
// recorded, where that was.
struct recent {
    const snakepit_recent_options *options;
    struct sp_ended_taker taker;
    struct sp_pool *pool;
    struct sp_ended *rows;
    size_t row_count;
    struct sp_kept_call *kept;
    size_t kept_count;
    size_t given;
};

static void hand_over(const struct sp_ended_taker *taker,
                      const snakepit_ended_call *call)
{
    SP_CALLBACK("the callback `take`");
    taker->take(taker->user, call);
    SP_CALLBACK_RETURNED;
}

static void copy(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    to[size] = '\0';
    sp_text_clean(to, strlen(to), SP_TEXT_LINE);
}

static void give_ended(const struct sp_ended_taker *taker,
                       const char *pool,
                       const struct sp_ended *row,
                       const struct sp_kept_call *kept)
{
    char tool[SP_RECENT_TEXT + 1];
    char session[SP_RECENT_TEXT + 1];
    copy(tool, row->text, row->tool_size);
    copy(session, row->text + row->tool_size, row->session_size);
    const snakepit_ended_call call = {
        .size = sizeof call,
        .call = row->call,
        .pool = pool,
        .tool = tool,
        .session = session,
        .err = (snakepit_err)row->err,
        .worker = row->worker,
        .executor = executor_of(row->executor),
        .ended_us = row->ended_us,
        .waited_us = row->waited_us,
        .ran_us = row->ran_us,
        .attempts = row->retries + 1u,
        .error = kept == NULL ? "" : kept->error,
        .traceback = kept == NULL ? "" : kept->traceback,
    };
    hand_over(taker, &call);
}

static void give_wanted(struct recent *recent,
                        const struct sp_ended *row,
                        const struct sp_kept_call *kept)
{
    const snakepit_recent_options *options = recent->options;
    if ((!options->failed || row->err != SNAKEPIT_OK) &&
        (!options->slow || row->slow)) {
        give_ended(&recent->taker, sp_pool_name(recent->pool), row, kept);
        recent->given++;
    }
}

static bool is_same(const struct sp_ended *row, const struct sp_kept_call *kept)
{
    return row->call == kept->row.call && row->ended_us == kept->row.ended_us;
}

static void give_kept(struct recent *recent)
{
    const struct sp_kept_call *kept = &recent->kept[--recent->kept_count];
    if (recent->row_count > 0 && is_same(&recent->rows[recent->row_count - 1], kept)) {
        recent->row_count--;
    }
    give_wanted(recent, &kept->row, kept);
}

// There is one: a row, or what was kept of a call, or both.
static void give_newest(struct recent *recent)
{
    if (recent->row_count == 0) {
        give_kept(recent);
        return;
    }
    const struct sp_ended *row = &recent->rows[recent->row_count - 1];
    const struct sp_kept_call *kept =
        recent->kept_count > 0 ? &recent->kept[recent->kept_count - 1] : NULL;
    if (kept != NULL && (is_same(row, kept) || row->ended_us < kept->row.ended_us)) {
        give_kept(recent);
    } else {
        recent->row_count--;
        give_wanted(recent, row, NULL);
    }
}

static snakepit_err read_recent(snakepit *pit, struct recent *recent)
{
    const bool all = !recent->options->failed && !recent->options->slow;
    const size_t room = all && atomic_load(&pit->recorders) > 0 ? SP_RECENT_ROWS : 0;
    recent->rows = sp_alloc_array(room + 1, sizeof *recent->rows);
    recent->kept = sp_alloc_array(SP_RECENT_KEPT, sizeof *recent->kept);
    if (recent->rows == NULL || recent->kept == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    recent->row_count = sp_pool_ended(recent->pool, 0, recent->rows, room);
    recent->kept_count = sp_pool_kept(recent->pool, 0, recent->kept, SP_RECENT_KEPT);
    return SNAKEPIT_OK;
}

snakepit_err snakepit_recent_calls(snakepit *pit,
                                   const char *name,
                                   const snakepit_recent_options *options,
                                   snakepit_ended_call_fn *take,
                                   void *user)
{
    SP_UNCANCELLED;
    static const snakepit_recent_options none = {.size = sizeof none};
    snakepit_recent_options room;
    const char *wrong;
    struct sp_pool *pool = NULL;
    snakepit_err err = find(pit, name, take != NULL, &pool);
    const snakepit_recent_options *known =
        options == NULL ? &none : sp_options_read(options, sizeof room, &room, &wrong);
    if (err != SNAKEPIT_OK || known == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    const size_t most = known->most == 0 ? RECENT_CALLS : known->most;
    if (sp_pit_is_connected(pit)) {
        struct asking asking = {.take_ended = take, .user = user};
        const struct sp_asked asked = {.told = &sp_told_ended,
                                       .pool = name,
                                       .most = most,
                                       .failed = known->failed,
                                       .slow = known->slow};
        return sp_ask_each(pit, "recent_calls", &asked, take_asked_ended, &asking);
    }
    struct recent recent = {.options = known, .taker = {take, user}, .pool = pool};
    err = read_recent(pit, &recent);
    while (err == SNAKEPIT_OK && recent.given < most &&
           recent.row_count + recent.kept_count > 0) {
        give_newest(&recent);
    }
    sp_free(recent.rows);
    sp_free(recent.kept);
    return err;
}

// ---- Following them ---------------------------------------------------------------

// Why a call has failed; NULL: it is not known.
static const struct sp_kept_call *
find_kept(const struct sp_kept_call *kept, size_t count, const struct sp_ended *row)
{
    for (size_t i = 0; i < count; i++) {
        if (is_same(row, &kept[i])) {
            return &kept[i];
        }
    }
    return NULL;
}

static size_t read_kept(struct sp_pool *pool,
                        const struct sp_ended *rows,
                        size_t count,
                        struct sp_kept_call **kept)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        failed += rows[i].err != SNAKEPIT_OK;
    }
    *kept = failed == 0 ? NULL : sp_alloc_array(SP_RECENT_KEPT, sizeof **kept);
    return *kept == NULL ? 0 : sp_pool_kept(pool, 0, *kept, SP_RECENT_KEPT);
}

static size_t give_followed(struct sp_pool *pool,
                            struct sp_calls_followed *followed,
                            const struct sp_ended *rows,
                            size_t count,
                            const struct sp_ended_taker *taker)
{
    struct sp_kept_call *kept;
    if (count == 0) {
        return 0;
    }
    const uint64_t before = followed->last;
    const size_t kept_count = read_kept(pool, rows, count, &kept);
    for (size_t i = 0; i < count; i++) {
        give_ended(
            taker, sp_pool_name(pool), &rows[i], find_kept(kept, kept_count, &rows[i]));
    }
    sp_free(kept);
    followed->last = rows[count - 1].number;
    return followed->begun ? (size_t)(rows[0].number - before - 1) : 0;
}

size_t sp_pit_follow_calls(snakepit *pit,
                           const char *pool,
                           struct sp_calls_followed *followed,
                           size_t most,
                           const struct sp_ended_taker *taker)
{
    SP_UNCANCELLED;
    struct sp_pool *found = sp_pit_pool(pit, pool);
    struct sp_ended *rows = NULL;
    size_t left_out = 0;
    if (found == NULL || atomic_load(&pit->recorders) == 0 ||
        sp_pool_record(found, true) != SNAKEPIT_OK) { // a reload may have added it
        return 0;
    }
    rows = sp_alloc_array(most + 1, sizeof *rows);
    if (rows != NULL) {
        const size_t count = sp_pool_ended(found, followed->last, rows, most);
        left_out = give_followed(found, followed, rows, count, taker);
        followed->begun = true;
    }
    sp_free(rows);
    return left_out;
}

const char *sp_pit_pool_of_call(snakepit *pit, snakepit_call_id call)
{
    const uint32_t index = sp_call_id_pool(call);
    return index < pit->count ? sp_pool_name(pit->pools[index]->pool) : NULL;
}
